"""A real Kerberos for tests: a KDC of its own realm on a port of its own, and Hadoop's daemons that let in nobody else.

Must not live here: expectations.
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shp_ops.hadoop import probes
from shp_ops.hadoop.configuration import write_site
from shp_ops.hadoop.daemons import NAMES
from shp_resources.processes import LOOPBACK, free_port, stop, wait_until
from tests.support.hadoop import Daemons
from tests.support.waiting import PATIENCE

REALM = "SHP.TEST"
HOST = "localhost"
"""What the services' principals call this machine; Kerberos knows hosts by name."""
_READY_SECONDS = 120.0
_SERVICES = ("nn", "dn", "rm", "nm", "HTTP")
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
_CLIENT_CONF = """\
[libdefaults]
  default_realm = {realm}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
[realms]
  {realm} = {{
    kdc = {kdc}
  }}
"""
_KDC_CONF = """\
[kdcdefaults]
  kdc_listen = {kdc}
  kdc_tcp_listen = {kdc}
[realms]
  {realm} = {{
    database_name = {folder}/principals
    key_stash_file = {folder}/stash
    acl_file = {folder}/acl
    supported_enctypes = aes256-cts-hmac-sha1-96:normal
  }}
[logging]
  kdc = FILE:{folder}/kdc.log
"""


class Kdc:
    """A KDC, once started; keeps everything in one folder.

    Args:
        folder: that folder, of short path.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self.port = folder, free_port()
        self.conf, self.keytab = folder / "krb5.conf", folder / "keytab"
        names = {"realm": REALM, "folder": folder, "kdc": f"{LOOPBACK}:{self.port}"}
        self.conf.write_text(_CLIENT_CONF.format(**names), encoding="utf-8")
        (folder / "kdc.conf").write_text(_KDC_CONF.format(**names), encoding="utf-8")
        self._environ = {"PATH": _PATH, "KRB5_CONFIG": str(self.conf), "KRB5_KDC_PROFILE": str(folder / "kdc.conf")}
        self._process: subprocess.Popen[bytes] | None = None
        self._run("kdb5_util", "create", "-s", "-P", "of a test", "-r", REALM)
        principals = [f"{service}/{HOST}" for service in _SERVICES] + ["etl"]
        for principal in principals:
            self._run("kadmin.local", "-q", f"addprinc -randkey {principal}")
        self._run("kadmin.local", "-q", f"ktadd -k {self.keytab} {' '.join(principals)}")

    def start(self) -> None:
        """Start it and wait until it listens."""
        with (self._folder / "kdc.out").open("wb") as out:
            self._process = subprocess.Popen(
                ["krb5kdc", "-n", "-r", REALM], env=self._environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        assert wait_until(self._listens, PATIENCE, 0.05), (self._folder / "kdc.out").read_text()

    def stop(self) -> None:
        """End it; nothing happens when it does not run."""
        if self._process is not None:
            stop(self._process, 5.0)
            self._process = None

    def ticket(self, cache: Path, principal: str = "etl", life: str = "1h") -> str:
        """Get a ticket by keytab, as an operator's `kinit` does.

        Args:
            cache: the credential cache's file.
            principal: whose.
            life: how long it is good, in kinit's words.

        Returns:
            What `KRB5CCNAME` is to be.
        """
        self._run("kinit", "-c", f"FILE:{cache}", "-l", life, "-kt", str(self.keytab), principal)
        return f"FILE:{cache}"

    def expired_ticket(self, cache: Path) -> str:
        """A ticket that was good and is no more; what `KRB5CCNAME` is to be."""
        name = self.ticket(cache, life="1s")
        begun = time.monotonic()
        assert wait_until(lambda: not self._is_valid(cache) and time.monotonic() > begun + 2, PATIENCE, 0.1), "it never expires"
        return name

    def _is_valid(self, cache: Path) -> bool:
        return subprocess.run(["klist", "-s", "-c", f"FILE:{cache}"], env=self._environ, check=False).returncode == 0

    def _run(self, *words: str) -> None:
        done = subprocess.run(
            words, env=self._environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)

    def _listens(self) -> bool:
        with suppress(OSError), socket.create_connection((LOOPBACK, self.port), timeout=1.0):
            return True
        return False


class SecureDaemons(Daemons):
    """Daemons of a realm: who shows no ticket is refused.

    Args:
        home: where they keep everything.
        kdc: the realm's, running.
        names: which to run.
    """

    def __init__(self, home: Path, kdc: Kdc, names: tuple[str, ...] = NAMES) -> None:
        super().__init__(home, names)
        self.environ["JAVA_TOOL_OPTIONS"] = f"-Djava.security.krb5.conf={kdc.conf}"
        secret = home / "secret"
        secret.write_bytes(os.urandom(32))
        for name, more in (("core", _core(kdc, secret)), ("hdfs", _hdfs(kdc)), ("yarn", _yarn(kdc)), ("mapred", _mapred(kdc))):
            path = home / "hadoop" / "conf" / f"{name}-site.xml"
            write_site(path, {**_properties(path), **more})

    def url(self, name: str) -> str:
        """A daemon's web address, by the name that its principal has."""
        return f"http://{HOST}:{self.ports[name]}"

    def installed(self, folder: Path) -> Path:
        """A `HADOOP_HOME` with nothing but a client that submits streaming jobs, with Java's options where Hadoop's own looks for them."""
        client, jar = folder / "bin" / "hadoop", folder / "share" / "hadoop" / "tools" / "lib" / "hadoop-streaming-0.jar"
        for path in (client, jar):
            path.parent.mkdir(parents=True)
        program, *words = self.cluster.streaming
        client.write_text(f'#!/bin/sh\nshift 2\nexec {program} $HADOOP_OPTS {shlex.join(words)} "$@"\n', encoding="utf-8")
        client.chmod(0o755)
        jar.touch()
        return folder

    def start(self, *names: str) -> None:
        """Start them and wait until those with web addresses answer one who shows a ticket, which must be there."""
        for part in self.parts.values():
            part.start()
        self._await("namenode", lambda: probes.namenode(self.url("namenode"), "etl", kerberos=True))
        self._await("resourcemanager", lambda: probes.resourcemanager(self.url("resourcemanager"), kerberos=True))

    def _await(self, name: str, why: Callable[[], str | None]) -> None:
        assert wait_until(lambda: why() is None, _READY_SECONDS, 0.2), f"{name}: {why()}"


@contextmanager
def secure_daemons(home: Path, kdc: Kdc) -> Iterator[SecureDaemons]:
    """Secured daemons that run through a block; a ticket must be there."""
    made = SecureDaemons(home, kdc)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def _core(kdc: Kdc, secret: Path) -> dict[str, object]:
    return {
        "hadoop.security.authentication": "kerberos",
        "hadoop.security.authorization": "true",
        "hadoop.user.group.static.mapping.overrides": "etl=supergroup;nn=supergroup",
        "hadoop.http.authentication.type": "kerberos",
        "hadoop.http.authentication.kerberos.principal": _principal("HTTP"),
        "hadoop.http.authentication.kerberos.keytab": kdc.keytab,
        "hadoop.http.authentication.signature.secret.file": secret,
        "hadoop.http.filter.initializers": "org.apache.hadoop.security.AuthenticationFilterInitializer",
    }


def _hdfs(kdc: Kdc) -> dict[str, object]:
    return {
        "dfs.block.access.token.enable": "true",
        "dfs.namenode.kerberos.principal": _principal("nn"),
        "dfs.namenode.keytab.file": kdc.keytab,
        "dfs.datanode.kerberos.principal": _principal("dn"),
        "dfs.datanode.keytab.file": kdc.keytab,
        "dfs.web.authentication.kerberos.principal": _principal("HTTP"),
        "dfs.web.authentication.kerberos.keytab": kdc.keytab,
        "ignore.secure.ports.for.testing": "true",
    }


def _yarn(kdc: Kdc) -> dict[str, object]:
    return {
        "yarn.resourcemanager.principal": _principal("rm"),
        "yarn.resourcemanager.keytab": kdc.keytab,
        "yarn.resourcemanager.webapp.spnego-principal": _principal("HTTP"),
        "yarn.resourcemanager.webapp.spnego-keytab-file": kdc.keytab,
        "yarn.nodemanager.principal": _principal("nm"),
        "yarn.nodemanager.keytab": kdc.keytab,
    }


def _mapred(kdc: Kdc) -> dict[str, object]:
    options = f"-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.security.krb5.conf={kdc.conf}"
    return {"yarn.app.mapreduce.am.command-opts": options, "mapreduce.map.java.opts": options}


def _principal(service: str) -> str:
    return f"{service}/{HOST}@{REALM}"


def _properties(path: Path) -> dict[str, object]:
    return {str(one.findtext("name")): str(one.findtext("value")) for one in ET.parse(path).getroot().iter("property")}
