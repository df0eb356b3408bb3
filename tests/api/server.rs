//! The server as a child process, watched by a guard that outlives us.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use headroom::http::token::Signer;
use serde_json::json;

use crate::asking::Caller;

pub const ADMIN: &str = "admin@headroom.local";
pub const PASSWORD: &str = "correct horse battery staple";
/// Where every market's clock begins.
pub const BEGIN: &str = "2027-01-01T00:00:00Z";

/// Waits until the pipe from us closes, however we end, and then ends the server. `kill -9`,
/// because the market must not mind.
const GUARD: &str = r#"
"$1" serve --listen 127.0.0.1:0 --data-dir "$2" --clock simulated &
server=$!
read -r _
kill -9 "$server"
wait "$server" 2>/dev/null
[ "$3" = keep ] || rm -rf "$2"
"#;

/// A running server. Dropped, it is ended and its folder is gone.
#[derive(Debug)]
pub struct Server {
    guard: Child,
    pub url: String,
    folder: PathBuf,
    keeps: bool,
}

fn run(folder: PathBuf, keeps: bool, settings: &[(&str, &str)]) -> Server {
    let mut guard = Command::new("/bin/sh")
        .args(["-c", GUARD, "guard", env!("CARGO_BIN_EXE_headroom")])
        .arg(&folder)
        .arg(if keeps { "keep" } else { "remove" })
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HEADROOM_CLOCK_START", BEGIN)
        .env("HEADROOM_ADMIN_EMAIL", ADMIN)
        .env("HEADROOM_ADMIN_PASSWORD", PASSWORD)
        .env("HEADROOM_LOG", "warn,actix_http=off")
        .env("HEADROOM_WORKERS", "2")
        // Tests come in floods; tests/hostile looks at the limits.
        .env("HEADROOM_RATE_CALLER", "0")
        .env("HEADROOM_RATE_ADDRESS", "0")
        .env("HEADROOM_RATE_SIGN_IN", "0")
        .envs(settings.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell starts");
    let stdout = guard.stdout.take().expect("it is piped");
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
    let url = line.trim().strip_prefix("listening on ").expect(&line).to_owned();
    Server { guard, url, folder, keeps }
}

/// A folder for a market of its own.
fn folder() -> PathBuf {
    let place = tempfile::Builder::new().prefix("api").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
    place.expect("a folder can be made").keep()
}

impl Server {
    /// A fresh market on a server of its own.
    pub fn fresh() -> Self {
        Self::under(&[])
    }

    /// A fresh market under settings of its own.
    pub fn under(settings: &[(&str, &str)]) -> Self {
        run(folder(), false, settings)
    }

    /// A fresh market whose folder outlives the server, for a later `again`.
    pub fn lasting() -> Self {
        run(folder(), true, &[])
    }

    /// The same market, killed and served anew.
    pub fn again(self) -> Self {
        assert!(self.keeps, "a fresh server takes its folder with it");
        let folder = self.folder.clone();
        drop(self);
        run(folder, true, &[])
    }

    /// Ends a lasting server and its market for good.
    pub fn remove(self) {
        let folder = self.folder.clone();
        drop(self);
        std::fs::remove_dir_all(folder).expect("it was there");
    }

    /// The key that this server signs tokens with.
    pub fn signer(&self) -> Signer {
        Signer::open(&self.key_file()).expect("the server made it")
    }

    /// Where that key is.
    pub fn key_file(&self) -> PathBuf {
        self.folder.join("signing-key.pem")
    }

    pub fn anonymous(&self) -> Caller {
        Caller::anonymous(&self.url)
    }

    /// The first person of the operator.
    pub fn admin(&self) -> Caller {
        self.anonymous().signed_in(ADMIN, PASSWORD)
    }

    /// Moves the market's time.
    pub fn advance_to(&self, time: &str) {
        let moved = self.admin().post("/v1/test/clock/advance", &json!({ "to": time }));
        assert_eq!(moved.status, 200, "{}", moved.text());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Closing the pipe is the sign.
        drop(self.guard.stdin.take());
        drop(self.guard.wait());
    }
}

/// The server that tests share, and its admin. It ends with this process.
pub fn shared() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(Server::fresh)
}
