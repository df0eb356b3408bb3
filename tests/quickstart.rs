//! The README's quickstart, run as it is written.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

const BEGIN: &str = "<!-- quickstart:begin -->";
const END: &str = "<!-- quickstart:end -->";
const PASSWORD: &str = "correct horse battery staple";

/// A running server. Dropped, it is ended.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The bash blocks of the quickstart, one after the other.
fn script(readme: &str) -> String {
    let (_, rest) = readme.split_once(BEGIN).expect("the README marks where it begins");
    let (part, _) = rest.split_once(END).expect("the README marks where it ends");
    let blocks = part.split("```bash\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().expect("a closing fence"));
    blocks.collect()
}

fn is_there(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

#[test]
fn the_quickstart_works_as_written() {
    for (program, package) in [("bash", "bash"), ("curl", "curl"), ("jq", "jq")] {
        if is_there(program) {
            continue;
        }
        // Under ./test, which installs what the tests need, its absence is a failure.
        #[expect(clippy::disallowed_methods, reason = "./test says what must not be missing")]
        let is_required = std::env::var("HEADROOM_TEST_POSTGRES").as_deref() == Ok("required");
        assert!(!is_required, "the quickstart needs {program}: install the package {package}");
        eprintln!("the quickstart was not tried: it needs {program} (package {package})");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut child = Command::new(env!("CARGO_BIN_EXE_headroom"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder.path())
        .env_clear()
        .env("HEADROOM_ADMIN_PASSWORD", PASSWORD)
        .env("HEADROOM_LOG", "warn")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let stdout = child.stdout.take().expect("it is piped");
    let _server = Server(child);
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
    let url = line.trim().strip_prefix("listening on ").expect(&line);

    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let written = script(&std::fs::read_to_string(readme).expect("it is there"));
    let elsewhere = written.replace("API=http://127.0.0.1:8080", &format!("API={url}"));
    assert_ne!(written, elsewhere, "the quickstart says where the server is");
    // What a reader would see at the end, for us to judge.
    let script = format!("set -euo pipefail\n{{\n{elsewhere}\n}} >&2\nprintf '%s' \"$ORDER\"\n");
    let ran = Command::new("bash")
        .args(["-c", &script])
        .env("ADMIN_PASSWORD", PASSWORD)
        .output()
        .expect("bash runs");
    let shown = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{shown}");
    assert!(!shown.contains("/problems/"), "a step was refused: {shown}");
    let order: Value = serde_json::from_slice(&ran.stdout).expect("an order");
    assert_eq!(order["state"], "filled", "{order}");
    assert_eq!(order["value"]["amount"], "53760.00", "64 GPUs, 336 hours, 2.50 each");
}
