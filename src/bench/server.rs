//! A server in a process of its own: this very binary, started with other arguments, on a free
//! port of loopback. Ended when dropped.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Trouble;
use super::cluster::free_port;
use super::delay::Delay;
use super::machine::resident_kib;
use super::watch::Watch;

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pub port: u16,
    /// From exec to the first 200 of its readiness page.
    pub ready_seconds: f64,
}

/// Beyond this it will not come up.
const PATIENCE_SECONDS: f64 = 300.0;

impl Server {
    /// The market itself, on a database that is there.
    pub fn market(database: &str, data_dir: &Path, delay: Option<Delay>) -> Result<Self, Trouble> {
        let own = std::env::current_exe()?;
        let command = delay.map_or_else(|| Command::new(&own), |delay| delay.command(&own));
        // A flood is what is measured.
        Self::serve(command, database, data_dir, 0)
    }

    /// The same, with so many requests a second for each caller; 0: as many as they like.
    pub fn limited(database: &str, data_dir: &Path, rate: u32) -> Result<Self, Trouble> {
        Self::serve(Command::new(std::env::current_exe()?), database, data_dir, rate)
    }

    fn serve(
        mut command: Command,
        database: &str,
        data_dir: &Path,
        rate: u32,
    ) -> Result<Self, Trouble> {
        command.arg("serve").args(["--database", database, "--log", "error"]);
        command.args(["--rate-caller", &rate.to_string(), "--rate-address", "0"]);
        command.arg("--data-dir").arg(data_dir);
        Self::start(command, "--listen", "/readyz")
    }

    /// A peer, on a database that was prepared for it.
    pub fn peer(database: &str, way: &str, pool: usize) -> Result<Self, Trouble> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bench", "peer", "--on", database, "--way", way]);
        command.args(["--pool", &pool.to_string()]);
        Self::start(command, "--at", "/readyz")
    }

    fn start(mut command: Command, listen: &str, page: &str) -> Result<Self, Trouble> {
        let port = free_port()?;
        command.args([listen, &format!("127.0.0.1:{port}")]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let watch = Watch::start();
        let child = command.spawn()?;
        let mut server = Self { child, port, ready_seconds: 0.0 };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            while !answers(port, page).await {
                if let Some(status) = server.child.try_wait()? {
                    return Err(Trouble::Said(format!("the server ended with {status}")));
                }
                if watch.seconds() > PATIENCE_SECONDS {
                    return Err(Trouble::Said("the server was not ready in time".to_owned()));
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Ok(())
        })?;
        server.ready_seconds = watch.seconds();
        Ok(server)
    }

    /// Kibibytes that it holds in memory.
    pub fn resident_kib(&self) -> u64 {
        resident_kib(self.child.id()).unwrap_or(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What it acknowledged is on disk; it needs no farewell.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Whether the page is answered with 200.
async fn answers(port: u16, page: &str) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let request =
            format!("GET {page} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    ask.await.is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 200"))
}
