//! The disk under a database file refuses: it is full, or the file may not be written. Nothing that
//! was acknowledged is lost, and when the disk gives way the server takes orders again.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use super::outage::{ROUNDS, finish, judge};
use super::server::{Server, settled};
use super::stage::{Load, pause};

const DATABASE: &str = "sqlite://headroom.db";

/// Sets how large a file the process may write, in bytes or `unlimited`: to it, a file that would
/// be larger is a full disk. `prlimit` is of util-linux; any user may do so to its own processes.
pub fn limit(mut prlimit: Command, process: &str, bytes: &str) {
    let done = prlimit
        .args(["--pid", process, &format!("--fsize={bytes}:unlimited")])
        .status()
        .expect("prlimit starts");
    assert!(done.success(), "prlimit of {process}");
}

/// A server that is told of a full disk by an error and not by a signal.
fn start(folder: &Path) -> Server {
    let mut shell = settled(Command::new("/bin/sh"), folder, DATABASE);
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" serve", env!("CARGO_BIN_EXE_headroom")]);
    Server::spawn(shell)
}

#[test]
fn a_file_may_be_allowed_no_more_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(folder.path());
    let mut load = Load::begin(&[&server.url], 0);
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        load.stage.wait_for_an_answer();
        let log = folder.path().join("headroom.db-wal");
        let bytes = fs::metadata(log).map_or(0, |log| log.len());
        // The log cannot grow beyond what it is and a little, the database not at all.
        limit(Command::new("prlimit"), &server.id(), &(bytes + 50_000).to_string());
        nobody_is_answered(&load);
        what_is_there_is_read(&server, &load);
        limit(Command::new("prlimit"), &server.id(), "unlimited");
        times.push(server.wait_until("ready"));
        load.stage.wait_for_an_answer();
    }
    judge("a file that may not grow", &times);
    finish(folder.path(), DATABASE, server, &mut load);
}

/// On a small disk of its own, where the machine lets us have one: only root may mount. Elsewhere
/// the limit above stands for it.
#[test]
fn a_disk_may_be_full() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(disk) = SmallDisk::mount(folder.path()) else {
        println!("no small disk can be mounted here: the limit of file sizes stands for it");
        return a_file_may_be_allowed_no_more_bytes();
    };
    let place = folder.path().join("data");
    let server = start(&place);
    let mut load = Load::begin(&[&server.url], 0);
    let ballast = place.join("ballast");
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        load.stage.wait_for_an_answer();
        // What the disk takes, it takes: the error is that it is full.
        drop(fs::write(&ballast, vec![0; 64 << 20]));
        nobody_is_answered(&load);
        what_is_there_is_read(&server, &load);
        fs::remove_file(&ballast).expect("it is ours");
        times.push(server.wait_until("ready"));
        load.stage.wait_for_an_answer();
    }
    judge("a full disk", &times);
    finish(&place, DATABASE, server, &mut load);
    drop(disk);
}

/// Returns when a second has passed without an acknowledgement.
fn nobody_is_answered(load: &Load) {
    let mut before = load.stage.count();
    for _ in 0..120 {
        pause(500);
        let now = load.stage.count();
        if now == before {
            return;
        }
        before = now;
    }
    panic!("orders are acknowledged for a minute, and the disk is full");
}

/// Reading does not wait for what cannot be written.
fn what_is_there_is_read(server: &Server, load: &Load) {
    let page = load.customer.get(&format!("{}/v1/orders?limit=1", server.url));
    assert_eq!(page.expect("in time").status, 200);
}

/// A file system in memory, gone when it is dropped.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(folder: &Path) -> Option<Self> {
        let place = folder.join("data");
        fs::create_dir(&place).expect("a folder");
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m,mode=700", "headroom-test"])
            .arg(&place)
            .stderr(Stdio::null())
            .status();
        done.is_ok_and(|status| status.success()).then_some(Self(place))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: after a failure a server may still be on it.
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

#[test]
fn a_file_may_become_read_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let mut server = Server::spawn(as_anybody(folder));
    let mut load = Load::begin(&[&server.url], 0);
    let file = folder.join("headroom.db");
    let allow = |mode| {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        load.stage.wait_for_an_answer();
        // Whoever has a file open may go on to write it.
        allow(0o400);
        load.stage.wait_for_an_answer();
        server.kill();
        let refused = as_anybody(folder).output().expect("it runs");
        assert_eq!(refused.status.code(), Some(1), "a server that cannot write does not start");
        let words = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(words.contains("readonly"), "{words}");
        allow(0o600);
        let watch = headroom::sequencer::Stopwatch::start();
        server = Server::spawn(as_anybody(folder));
        server.wait_until("ready");
        times.push(watch.seconds());
        load.stage.set_urls(&[&server.url]);
    }
    judge("a file that could not be written", &times);
    finish(folder, DATABASE, server, &mut load);
}

/// The server, minding permissions: root minds them too when it has no special powers.
fn as_anybody(folder: &Path) -> Command {
    let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    let binary = env!("CARGO_BIN_EXE_headroom");
    if !is_root {
        let mut command = settled(Command::new(binary), folder, DATABASE);
        command.arg("serve");
        return command;
    }
    let mut command = settled(Command::new("setpriv"), folder, DATABASE);
    command.args(["--bounding-set=-all", "--inh-caps=-all", binary, "serve"]);
    command
}
