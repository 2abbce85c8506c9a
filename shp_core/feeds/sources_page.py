"""The part of docs/feeds.md about sources elsewhere: by hand, for what the tables of the models do not say.

Must not live here: credentials and deadlines (docs/operations.md).
"""

from __future__ import annotations

SOURCES = """\
## Sources elsewhere

Without `uri` a feed's files are those in its drop folder. With it they are fetched, and the drop folder is not looked at:

```yaml
feed: prices
owner: team:purchasing
source:
  uri: https://files.example.com/prices.xlsx      # one workbook
  poll: 5m                                        # how often it is looked at; 1m by default
  fallbacks:                                      # tried in this order
    - {uri: "s3://mirror/prices.xlsx"}
    - {snapshot: {max_age: 24h}}
columns:
  Item:  {type: text}
  Price: {type: money, scale: 2, currency: EUR}
key: [Item]
```

| address | what is seen as new or changed | needs |
|---|---|---|
| `https://host/name.xlsx`, `http://…` | ETag, Last-Modified, length; without the first two: fetched once an hour | - |
| `s3://bucket/prefix/`, `s3://bucket/name.xlsx` | ETag, time, length | `pip install 'shp[s3]'` |
| `sftp://host/folder/`, `sftp://host/name.xlsx` | time, length; not while it is changing | `pip install 'shp[sftp]'` |
| `hdfs://namenode:9870/folder/`, `hdfs://…/name.xlsx` (the address of WebHDFS) | time, length | `pip install 'shp[hadoop]'` |
| `file:///srv/share/`, `file:///srv/share/name.xlsx` | as in a drop folder | - |

* An address that ends with `/` is a folder: files in it that `match` count, not those below. By HTTP one address is one file.
* By file, the file's name is the partition, as in a drop folder. By period the name holds the period (`partition.from`), or the
  address does: `uri: https://host/till_{date}.xlsx`, with `{date}` as `partition.format` writes it. Of such addresses the last
  three periods are looked at, and those of the last 31 that are not published.
* Credentials never stand in a feed file: an address with a password, or with a query such as `?token=…`, is an error. They are
  named in the environment ([operations.md](operations.md#remote-sources)).
* A file is published whole or not at all. A download that breaks off goes on where it stopped, if the source still holds the same
  version; else it begins anew. The length must be the one that was announced, and not above the limit `source_bytes`.
* A fallback gives a file for a partition only where the source does not: the source is missing, does not answer or refuses, and the
  partition has no publication or is held for it; or the partition is late. It never replaces what the source itself delivered.
  A fallback that is one file stands for the partition of the source, whatever its own name. `shp history` and the
  partition's flag `fallback` name the address. When the source is back, its file takes over; where the bytes differ,
  `reconciled_at` is set and the run tells the differences in rows and sums.
* `schedule: "*/15 * * * *"` beside `source` says by the clock when the source is looked at, instead of `poll`: five fields as in a
  crontab, in the time zone of `partition` (`timezone`, UTC by default). A look that fails is repeated every minute until it
  does not (a file that is not there is no failure); looks never overlap, and after a stop one makes up for all that were missed.
* `snapshot` comes last: the partition's own last good delivery goes on standing, if it was published within `max_age`. To show
  another period's rows meanwhile, use `placeholder_days`.
* `shp feeds check --sources` asks each address once; `shp inspect URI` looks into a file where it is. `shp ingest FEED URI…` takes
  files from such addresses now, whatever the feed's own source is.

"""
