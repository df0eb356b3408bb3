//! A private PostgreSQL cluster for tests: made in a temporary folder, on a free loopback port and a unix
//! socket, with fsync on, shared by the tests of one process and gone when the process ends, however it
//! ends. Where PostgreSQL is not installed there is none; `HEADROOM_TEST_POSTGRES=required` makes that a
//! failure.
#![allow(dead_code, reason = "each suite uses its part of it")]
#![allow(
    clippy::disallowed_methods,
    reason = "it waits for a server, and reads what ./test asks for"
)]

pub mod own;

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The password of the cluster's one user; asked for on TCP, not on the socket.
pub const PASSWORD: &str = "not-a-secret";

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    /// Data and socket.
    folder: PathBuf,
    port: u16,
    databases: AtomicU32,
    /// The guard; its standard input is the rope that holds the cluster up.
    _guard: Child,
}

/// The guard: stops PostgreSQL and removes its folder when this process lets go of the rope.
const GUARD: &str = r#"
"$1/postgres" -D "$2/data" -k "$2" -p "$3" \
    -c listen_addresses=127.0.0.1 -c max_connections=200 -c fsync=on -c synchronous_commit=on \
    > "$2/log" 2>&1 < /dev/null &
server=$!
cat > /dev/null
kill -INT "$server"
wait "$server"
rm -rf "$2"
"#;

/// The process's cluster, started when first asked for; `None` where PostgreSQL is not installed.
pub fn shared() -> Option<&'static Cluster> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    let cluster = SHARED.get_or_init(|| match programs() {
        Some(programs) => Some(Cluster::start(&programs)),
        None => {
            let is_required =
                std::env::var("HEADROOM_TEST_POSTGRES").is_ok_and(|value| value == "required");
            assert!(!is_required, "PostgreSQL is required and initdb is nowhere to be found");
            eprintln!(
                "PostgreSQL is not installed here: tests on it DO NOT RUN, only SQLite's do."
            );
            None
        }
    });
    cluster.as_ref()
}

/// The folder of `initdb` and `postgres`: on the PATH or where Debian keeps them, the newest first.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|all| all.flatten().map(|version| version.path()).collect())
        .unwrap_or_default();
    let number = |path: &PathBuf| -> u32 {
        path.file_name().and_then(|name| name.to_str()?.parse().ok()).unwrap_or(0)
    };
    versions.sort_by_key(|path| std::cmp::Reverse(number(path)));
    folders.extend(versions.into_iter().map(|version| version.join("bin")));
    folders
        .into_iter()
        .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}

/// Somebody else's number and group.
type User = Option<(u32, u32)>;

/// Who runs PostgreSQL, which refuses root: nobody else when we are somebody else already.
fn other_user() -> User {
    // The owner of this process's own folder in /proc.
    let uid = std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").ok()?);
    if uid != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("root can read the list of users");
    ["postgres", "nobody"].iter().find_map(|wanted| {
        let mut fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let fields = fields.find(|fields| fields.first() == Some(wanted))?;
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    })
}

impl Cluster {
    fn start(programs: &Path) -> Self {
        let user = other_user();
        let folder = folder_of(user, "headroom-pg-");
        let secret = folder.join("password");
        fs::write(&secret, PASSWORD).expect("a file for the password");
        if let Some((uid, gid)) = user {
            chown(&secret, Some(uid), Some(gid)).expect("root may give it away");
        }
        let asks = ["--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile"].map(OsStr::new);
        make_data(user, programs, &folder, &[&asks[..], &[secret.as_os_str()]].concat());
        let port = free_port();
        let port_text = port.to_string();
        let words = [programs.as_os_str(), folder.as_os_str(), OsStr::new(&port_text)];
        let guard = guard(user, &folder, GUARD, &words);
        let cluster = Self { folder, port, databases: AtomicU32::new(0), _guard: guard };
        cluster.wait_until_up();
        cluster
    }

    fn wait_until_up(&self) {
        let patience = Instant::now() + Duration::from_secs(60);
        while let Err(error) = try_execute(&self.url("postgres"), "SELECT 1") {
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(Instant::now() < patience, "PostgreSQL does not come up: {error}\n{log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A fresh database; the address of it, through the socket.
    pub fn fresh(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("market_{}_{number}", std::process::id());
        execute(&self.url("postgres"), &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// Drops a database that `fresh` made, whoever is still connected.
    pub fn remove(&self, url: &str) {
        let (_, name) = url.rsplit_once('/').expect("an address ends in the database's name");
        execute(&self.url("postgres"), &format!("DROP DATABASE {name} WITH (FORCE)"));
    }

    /// The address of a database, through the socket.
    pub fn url(&self, database: &str) -> String {
        let socket = self.folder.to_str().expect("plain letters").replace('/', "%2F");
        format!("postgres://headroom@{socket}:{}/{database}", self.port)
    }

    /// The address of a database, through TCP.
    pub fn tcp_url(&self, database: &str, password: &str) -> String {
        format!("postgres://headroom:{password}@127.0.0.1:{}/{database}", self.port)
    }
}

/// Runs plain SQL on a database.
///
/// # Panics
/// When it fails.
pub fn execute(url: &str, sql: &str) {
    try_execute(url, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Runs plain SQL on a database; the first column of each row that comes back, as text.
///
/// # Errors
/// What the server, or the way to it, says.
pub fn try_execute(url: &str, sql: &str) -> Result<Vec<String>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime for one connection");
    runtime.block_on(async {
        let (client, connection) =
            tokio_postgres::connect(url, tokio_postgres::NoTls).await.map_err(spell)?;
        let driver = tokio::spawn(connection);
        let answer = client.simple_query(sql).await.map_err(spell);
        drop(client);
        drop(driver.await);
        let rows = answer?.into_iter().filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => {
                Some(row.get(0).unwrap_or("NULL").to_owned())
            }
            _ => None,
        });
        Ok(rows.collect())
    })
}

fn spell(error: tokio_postgres::Error) -> String {
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    cause.unwrap_or_else(|| error.to_string())
}

/// A folder of the user's who runs PostgreSQL.
fn folder_of(user: User, prefix: &str) -> PathBuf {
    let folder = tempfile::Builder::new()
        .prefix(prefix)
        .tempdir_in("/tmp")
        .expect("a temporary folder")
        .keep();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("our own folder");
    if let Some((uid, gid)) = user {
        chown(&folder, Some(uid), Some(gid)).expect("root may give it away");
    }
    folder
}

/// Makes the data of a server in its folder, with these words of who is let in.
fn make_data(user: User, programs: &Path, folder: &Path, words: &[&OsStr]) {
    let made = run_as(user, &programs.join("initdb"))
        .args(["--username=headroom", "--encoding=UTF8", "--no-locale", "--no-sync"])
        .args(words)
        .arg("-D")
        .arg(folder.join("data"))
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("initdb starts");
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
}

/// A shell that holds a server up until this process lets go of its standard input.
fn guard(user: User, folder: &Path, script: &str, words: &[&OsStr]) -> Child {
    run_as(user, Path::new("/bin/sh"))
        .args(["-c", script, "guard"])
        .args(words)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C at the terminal ends the tests; the rope then ends the server.
        .process_group(0)
        .spawn()
        .expect("a shell starts")
}

fn run_as(user: User, program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it is bound").port()
}
