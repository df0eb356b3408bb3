//! A private PostgreSQL: its own folder, its own port on loopback, gone when dropped. Knows
//! PostgreSQL's programs and nothing of this project.

use std::fs;
use std::io::{Error, Result};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running server of our own.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    port: u16,
    account: Option<Account>,
    /// Ends the server. `None` until there is one to end.
    guard: Option<Child>,
}

/// A shell that waits until its standard input closes, as it does when whoever holds it drops it or
/// dies. Nothing in the server is wanted any more, so it need not be tidy about ending.
const GUARD: &str = r#"read -r _; "$0" -w -t 30 -D "$1" -m immediate stop; rm -rf "$1""#;

/// Whom the server runs as when we are root, which it refuses to be.
#[derive(Debug, Clone, Copy)]
struct Account {
    user: u32,
    group: u32,
}

/// Where one of PostgreSQL's programs is: in the PATH, or where Debian and its kin put them.
pub fn binary(name: &str) -> Option<PathBuf> {
    let is_there = |path: &PathBuf| path.is_file();
    let places = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = places.map(|place| place.path()).collect();
    // The newest first; versions are numbers of two digits for as long as anyone can see.
    versions.sort();
    let debian = versions.into_iter().rev().map(|place| place.join("bin").join(name));
    let usual = ["/usr/bin", "/usr/local/bin", "/usr/local/pgsql/bin", "/opt/homebrew/bin"];
    let usual = usual.into_iter().map(|place| Path::new(place).join(name));
    debian.chain(usual).find(is_there)
}

impl Cluster {
    /// Makes a cluster below `parent` and starts it, with these settings beside the defaults.
    /// `fsync` and everything that keeps what was committed stay on.
    ///
    /// # Errors
    /// When PostgreSQL is not installed, or does not start.
    pub fn start(parent: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        Self::start_by(parent, settings, |_| None)
    }

    /// The same, where `launcher` may give a script that starts the server's program in its stead.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub fn start_by(
        parent: &Path,
        settings: &[(&str, &str)],
        launcher: impl FnOnce(&Path) -> Option<String>,
    ) -> Result<Self> {
        let initdb = binary("initdb").ok_or_else(|| Error::other("PostgreSQL is not installed"))?;
        let port = free_port()?;
        let folder = parent.join(format!("postgres-{port}"));
        fs::create_dir_all(&folder)?;
        let folder = folder.canonicalize()?;
        let account = account();
        if let Some(Account { user, group }) = account {
            chown(&folder, Some(user), Some(group))?;
        }
        let mut cluster = Self { folder, port, account, guard: None };
        cluster.run(
            cluster
                .command(&initdb)
                .args([
                    "--auth=trust",
                    "--username=postgres",
                    "--encoding=UTF8",
                    "--no-instructions",
                ])
                .arg("--locale=C.UTF-8"),
        )?;
        let mut configuration = format!(
            "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n\
             max_connections = 300\nlogging_collector = off\n"
        );
        for (name, value) in settings {
            configuration.push_str(&format!("{name} = '{value}'\n"));
        }
        let path = cluster.folder.join("postgresql.conf");
        let before = fs::read_to_string(&path)?;
        fs::write(&path, before + &configuration)?;
        let log = cluster.folder.join("log");
        let (log, program) = (log.to_string_lossy(), initdb.with_file_name("postgres"));
        let mut start = vec!["-w", "-t", "60", "-l", &log, "start"];
        let path = cluster.folder.join("launcher");
        let launch = path.to_string_lossy();
        if let Some(script) = launcher(&program) {
            fs::write(&path, script)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
            start.extend(["-p", &launch]);
        }
        let pg_ctl = initdb.with_file_name("pg_ctl");
        cluster.guard = Some(cluster.guarded(&pg_ctl)?);
        cluster.run(cluster.command(&pg_ctl).args(&start))?;
        Ok(cluster)
    }

    /// The address of a database in it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    fn guarded(&self, pg_ctl: &Path) -> Result<Child> {
        let mut shell = self.as_account(Path::new("/bin/sh"));
        shell.args(["-c", GUARD]).arg(pg_ctl).arg(&self.folder);
        // Ctrl-C at the terminal is for us; the guard then sees that we are gone.
        shell.stdin(Stdio::piped()).process_group(0).spawn()
    }

    /// One of PostgreSQL's programs, on our folder.
    fn command(&self, program: &Path) -> Command {
        let mut command = self.as_account(program);
        command.arg("-D").arg(&self.folder).stdin(Stdio::null());
        command
    }

    /// A program in our folder, as the right user.
    fn as_account(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(Account { user, group }) = self.account {
            command.uid(user).gid(group);
        }
        command
    }

    fn run(&self, command: &mut Command) -> Result<()> {
        let status = command.status()?;
        if status.success() {
            return Ok(());
        }
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        Err(Error::other(format!("{command:?} ended with {status}\n{log}")))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // To wait for the guard closes its standard input. As root only we may remove the folder.
        drop(self.guard.as_mut().map(Child::wait));
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// A port on loopback that is free now.
///
/// # Errors
/// When the machine has none.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// For root: an account without its rights. Nobody else needs one.
fn account() -> Option<Account> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let is_root = status.lines().any(|line| {
        line.strip_prefix("Uid:").is_some_and(|ids| ids.split_whitespace().nth(1) == Some("0"))
    });
    if !is_root {
        return None;
    }
    let accounts = fs::read_to_string("/etc/passwd").ok()?;
    let find = |name: &str| {
        let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        let mut next = || fields.next()?.parse().ok();
        Some(Account { user: next()?, group: next()? })
    };
    find("postgres").or_else(|| find("nobody"))
}
