"""An installed Hadoop, which `HADOOP_HOME` names: what of it `shp up --hadoop` runs, in the folders of Apache's own archive.

Must not live here: its configuration (ours is written for it too, `configuration`) and its scripts, which are not used.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shp_core.codes import Code
from shp_core.errors import UsageError
from shp_resources.hdfs.cluster import STREAMING

_COMMON = "share/hadoop/common/hadoop-common-[0-9]*.jar"
_NEEDED = (
    _COMMON,
    "share/hadoop/hdfs/hadoop-hdfs-[0-9]*.jar",
    "share/hadoop/yarn/hadoop-yarn-server-resourcemanager-*.jar",
    "share/hadoop/yarn/hadoop-yarn-server-nodemanager-*.jar",
    "share/hadoop/mapreduce/hadoop-mapreduce-client-app-*.jar",
    "share/hadoop/mapreduce/hadoop-mapreduce-client-shuffle-*.jar",
    STREAMING,
)
"""One jar of each part that we run; whoever has them has what they need, too."""

# The ResourceManager dies without the timeline service's classes. They come last, as in Hadoop's own scripts: beside them lie
# older copies of what the others bring. Of the tools only streaming is taken: the others weigh half a gigabyte.
_FOLDERS = ("common/lib", "common", "hdfs/lib", "hdfs", "mapreduce/lib", "mapreduce", "yarn/lib", "yarn")
_LAST = ("yarn/timelineservice", "yarn/timelineservice/lib")


@dataclass(frozen=True)
class Installed:
    """An installed Hadoop.

    Args:
        home: where it is.
        version: its version, as its files are named.
        classes: the entries of a class path that hold it.
    """

    home: Path
    version: str
    classes: tuple[str, ...]


def installed_hadoop(home: Path) -> Installed:
    """The Hadoop in a folder.

    Args:
        home: what `HADOOP_HOME` says.

    Raises:
        UsageError: there is none, or a part of one only.
    """
    missing = [pattern for pattern in _NEEDED if not any(home.glob(pattern))]
    if missing:
        raise UsageError(
            f"HADOOP_HOME ({home}) holds no Hadoop that can be run: {', '.join(missing)} is missing.",
            "Let HADOOP_HOME name the folder of an unpacked Hadoop, or unset it: Maven then fetches one.",
            Code.SETTINGS_INVALID,
        )
    share = home / "share" / "hadoop"
    folders = [f"{share / name}/*" for name in (*_FOLDERS, *_LAST) if (share / name).is_dir()]
    return Installed(home, _version(home), (*folders, str(max(home.glob(STREAMING)))))


def _version(home: Path) -> str:
    """The shortest name is that of the classes; the tests' goes on behind the version."""
    name = min((path.stem for path in home.glob(_COMMON)), key=len)
    return name.removeprefix("hadoop-common-")
