import pytest

from custody.codes import Code
from custody.errors import Conflict
from custody.workspace.file_system import file_system_type, read_mount_table, require_local
from custody.workspace.sqlite_store import SqliteJournal
from support.journals import JOURNAL_ID, make_chain, make_journal

TABLE = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 27 0:50 / /srv/nfs rw,relatime shared:7 master:2 - nfs4 server:/x rw
41 40 8:1 / /srv/nfs/local\\040disk rw - xfs /dev/sdb rw
42 27 0:51 / /srv/twice rw - ext4 /dev/sdc rw
43 42 0:52 / /srv/twice rw - cifs //server/share rw
not a mount
44 27 0:53 / /srv/ssh rw - fuse.sshfs server: rw
45 27 0:54 / /srv/crypt rw - fuse.gocryptfs x rw
46 27 0:55 / /srv/stick rw - fuseblk /dev/sdd rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/srv", "ext4"),
        ("/srv/nfs", "nfs4"),
        ("/srv/nfs/deep/er", "nfs4"),
        ("/srv/nfsx", "ext4"),
        ("/srv/nfs/local disk/w", "xfs"),
        ("/srv/twice", "cifs"),
        ("/srv/ssh/w", "fuse.sshfs"),
    ],
)
def test_the_nearest_mount_on_top_decides(folder, kind):
    assert file_system_type(folder, TABLE) == kind


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "virtiofs", "fuse.sshfs", "fuse.rclone"])
def test_network_file_systems_are_refused(tmp_path, kind):
    table = f"27 1 254:0 / / rw - ext4 /dev/vda rw\n40 27 0:50 / {tmp_path} rw - {kind} x rw\n"
    with pytest.raises(Conflict) as caught:
        require_local(tmp_path, table)
    assert (caught.value.code, caught.value.exit_code) == (Code.NETWORK_FILE_SYSTEM, 7)


@pytest.mark.parametrize("folder", ["/srv/crypt", "/srv/stick", "/srv/nfs/local disk", "/"])
def test_local_ones_are_not(tmp_path, folder):
    require_local(folder, TABLE)


def test_a_journal_on_a_network_file_system_is_neither_made_nor_read_nor_written(tmp_path):
    table = f"40 27 0:50 / {tmp_path} rw - nfs x rw\n"
    with pytest.raises(Conflict):
        SqliteJournal.create(tmp_path / "other.db", JOURNAL_ID, mount_table=table)
    moved = SqliteJournal(make_journal(tmp_path, 1).path, mount_table=table)
    for act in (moved.head, moved.entries, lambda: moved.append(make_chain(1), expected_head=None)):
        with pytest.raises(Conflict) as caught:
            act()
        assert caught.value.code is Code.NETWORK_FILE_SYSTEM
    assert not (tmp_path / "other.db").exists()


def test_the_link_of_a_folder_is_followed(tmp_path):
    (tmp_path / "remote").mkdir()
    (tmp_path / "link").symlink_to("remote")
    with pytest.raises(Conflict):
        require_local(tmp_path / "link", f"40 27 0:50 / {tmp_path}/remote rw - nfs x rw\n")


def test_this_machines_own_table_is_readable(tmp_path):
    assert file_system_type(tmp_path, read_mount_table()) is not None
