//! What the figures were measured on: without it they mean nothing. Knows the machine's own files
//! and how long its disk takes to say that something is safe.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::Trouble;
use super::watch::{Spread, Watch};

/// The facts of the machine.
#[derive(Debug)]
pub struct Machine {
    cpu: String,
    cores: usize,
    memory_gib: u64,
    kernel: String,
    rustc: String,
    postgres: String,
    /// Nanoseconds of one fdatasync after 4 KiB: median and 99th of a hundred.
    sync: (u64, u64),
}

impl Machine {
    /// Looks around; writes a small file in `folder` to time the disk.
    pub fn look(folder: &Path) -> Result<Self, Trouble> {
        let postgres = super::cluster::binary("postgres");
        let said = |program: &str| {
            let output = Command::new(program).arg("--version").output().ok()?;
            let text = String::from_utf8(output.stdout).ok()?;
            text.lines().next().map(str::to_owned)
        };
        Ok(Self {
            cpu: field("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            memory_gib: kib("/proc/meminfo", "MemTotal").unwrap_or(0) / 1_048_576,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| unknown(), |text| text.trim().to_owned()),
            rustc: said("rustc").unwrap_or_else(unknown),
            postgres: postgres
                .and_then(|path| said(&path.to_string_lossy()))
                .unwrap_or_else(|| "no PostgreSQL here".to_owned()),
            sync: time_sync(folder)?,
        })
    }

    /// In one line.
    pub fn line(&self) -> String {
        let Self { cpu, cores, memory_gib, kernel, rustc, postgres, sync } = self;
        let (p50, p99) = (sync.0 / 1_000, sync.1 / 1_000);
        format!(
            "{cpu}, {cores} cores, {memory_gib} GiB, Linux {kernel}; {rustc}; {postgres}; \
             fdatasync p50 {p50} us, p99 {p99} us"
        )
    }

    pub fn json(&self) -> Value {
        let Self { cpu, cores, memory_gib, kernel, rustc, postgres, sync } = self;
        json!({
            "cpu": cpu, "cores": cores, "memory_gib": memory_gib, "kernel": kernel,
            "rustc": rustc, "postgres": postgres,
            "fdatasync_p50_us": sync.0 / 1_000, "fdatasync_p99_us": sync.1 / 1_000,
        })
    }
}

/// Kibibytes that a process holds in memory.
pub fn resident_kib(process: u32) -> Option<u64> {
    kib(&format!("/proc/{process}/status"), "VmRSS")
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// The value of the first line `name: value` or `name<tab>: value`.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}

fn kib(path: &str, name: &str) -> Option<u64> {
    field(path, name)?.strip_suffix("kB")?.trim().parse().ok()
}

fn time_sync(folder: &Path) -> Result<(u64, u64), Trouble> {
    let path = folder.join("fdatasync.probe");
    let mut file = File::create(&path)?;
    let mut spread = Spread::new();
    for _ in 0..200 {
        file.write_all(&[0x5a; 4_096])?;
        let mut watch = Watch::start();
        file.sync_data()?;
        spread.note(watch.lap());
    }
    drop(file);
    fs::remove_file(path)?;
    Ok((spread.p50(), spread.p99()))
}
