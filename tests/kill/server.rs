//! The real server as a child process: started, asked over HTTP, killed.
#![allow(dead_code, reason = "each suite uses its part of it")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;

pub const ADMIN: &str = "admin@headroom.local";
pub const PASSWORD: &str = "correct horse battery staple";

/// A running server. Dropped, it is killed.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pub url: String,
}

/// The binary, with nothing of this machine's environment in it.
pub fn binary(folder: &Path, database: &str) -> Command {
    settled(Command::new(env!("CARGO_BIN_EXE_headroom")), folder, database)
}

/// A program that runs the binary, with its settings.
pub fn settled(mut command: Command, folder: &Path, database: &str) -> Command {
    command
        .env_clear()
        .env("HEADROOM_LISTEN", "127.0.0.1:0")
        .env("HEADROOM_DATA_DIR", folder)
        .env("DATABASE_URL", database)
        .env("HEADROOM_ADMIN_EMAIL", ADMIN)
        .env("HEADROOM_ADMIN_PASSWORD", PASSWORD)
        // One officer is enough here.
        .env("HEADROOM_TWO_PERSON_THRESHOLD", "1000000000")
        // The load is meant.
        .env("HEADROOM_RATE_CALLER", "0")
        .env("HEADROOM_RATE_ADDRESS", "0")
        .env("HEADROOM_RATE_SIGN_IN", "0")
        .env("HEADROOM_LOG", "warn");
    command
}

#[expect(clippy::disallowed_methods, reason = "trouble comes out of the blue, after no event")]
pub fn pause(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

impl Server {
    /// Starts it and waits until it listens.
    pub fn start(folder: &Path, database: &str) -> Self {
        Self::start_with(folder, database, &[])
    }

    /// As `start`, with these settings.
    pub fn start_with(folder: &Path, database: &str, settings: &[(&str, &str)]) -> Self {
        let mut command = binary(folder, database);
        command.envs(settings.iter().copied()).arg("serve");
        Self::spawn(command)
    }

    /// As `start`, beside another one if there is one.
    pub fn start_or_stand_by(folder: &Path, database: &str) -> Self {
        let mut command = binary(folder, database);
        command.args(["serve", "--standby"]);
        Self::spawn(command)
    }

    /// Starts what ends in the server, and waits until it listens.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the server starts");
        let stdout = child.stdout.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let url = line.trim().strip_prefix("listening on ").expect(&line).to_owned();
        Self { child, url }
    }

    /// The process, by its number.
    pub fn id(&self) -> String {
        self.child.id().to_string()
    }

    /// Sends the process a signal, such as `STOP`.
    pub fn signal(&self, name: &str) {
        let process = self.id();
        let sent = Command::new("kill").args([&format!("-{name}"), &process]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// The code in the answer of `/readyz`; empty where there is none, `ready` where it is.
    pub fn readiness(&self) -> String {
        let Ok(reply) = Caller::hasty().get(&format!("{}/readyz", self.url)) else {
            return String::new();
        };
        let word = reply.json();
        let word = word["code"].as_str().or(word["status"].as_str());
        word.unwrap_or_default().to_owned()
    }

    /// Returns once `/readyz` says this word. Answers how many seconds it took.
    pub fn wait_until(&self, word: &str) -> f64 {
        self.wait(|said| said == word)
    }

    /// As `wait_until`, once it says this word no more.
    pub fn wait_while(&self, word: &str) -> f64 {
        self.wait(|said| said != word)
    }

    fn wait(&self, is_it: impl Fn(&str) -> bool) -> f64 {
        let watch = headroom::sequencer::Stopwatch::start();
        loop {
            let said = self.readiness();
            if is_it(&said) {
                return watch.seconds();
            }
            assert!(watch.seconds() < 60.0, "after a minute it says {said}");
            pause(5);
        }
    }

    /// The way of `kill -9`: no time for a last word.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it is gone");
    }

    /// The way of an operator: SIGTERM, and wait.
    pub fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        self.child.wait().expect("it ends")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `kill` and `stop` there is nothing left to kill.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// `headroom verify`: whether it found everything sound, and what it printed.
pub fn verify(folder: &Path, database: &str) -> (bool, String) {
    let output = binary(folder, database).arg("verify").output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text.into_owned())
}

/// An answer over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub replayed: bool,
    pub retry_after: Option<String>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("an answer is JSON")
    }

    /// The member of the answer, which must be good.
    pub fn text(&self, member: &str) -> String {
        let body = self.json();
        assert!((200..300).contains(&self.status), "{} {body}", self.status);
        let found = member.split('.').fold(&body, |value, name| &value[name]);
        found.as_str().unwrap_or_else(|| panic!("no {member} in {body}")).to_owned()
    }
}

/// Somebody who asks: who, and how.
#[derive(Debug, Clone)]
pub struct Caller {
    http: reqwest::blocking::Client,
    pub token: String,
}

impl Caller {
    pub fn new() -> Self {
        Self::patient(Duration::from_secs(5))
    }

    /// One who asks the next server soon.
    pub fn hasty() -> Self {
        Self::patient(Duration::from_secs(1))
    }

    fn patient(patience: Duration) -> Self {
        let http =
            reqwest::blocking::Client::builder().timeout(patience).build().expect("a client");
        Self { http, token: String::new() }
    }

    pub fn with(&self, token: String) -> Self {
        Self { http: self.http.clone(), token }
    }

    pub fn get(&self, url: &str) -> reqwest::Result<Reply> {
        reply(self.http.get(url).bearer_auth(&self.token).send()?)
    }

    pub fn post(&self, url: &str, key: &str, body: &Value) -> reqwest::Result<Reply> {
        self.post_on(url, key, None, body)
    }

    /// As `post`, about this version of a thing.
    pub fn post_on(
        &self,
        url: &str,
        key: &str,
        version: Option<i64>,
        body: &Value,
    ) -> reqwest::Result<Reply> {
        let mut request = self.http.post(url).json(body);
        if let Some(version) = version {
            request = request.header("if-match", format!("\"{version}\""));
        }
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if !key.is_empty() {
            request = request.header("idempotency-key", key);
        }
        reply(request.send()?)
    }
}

/// An answer counts when its last byte has come.
fn reply(answer: reqwest::blocking::Response) -> reqwest::Result<Reply> {
    let status = answer.status().as_u16();
    let replayed = answer.headers().contains_key("idempotent-replayed");
    let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let retry_after = retry_after.map(str::to_owned);
    Ok(Reply { status, replayed, retry_after, body: answer.bytes()?.to_vec() })
}
