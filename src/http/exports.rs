//! `/v1/exports`: files for other tools, written while they are sent.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Bytes, Data};
use futures_util::stream;
use serde::Deserialize;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use utoipa::{IntoParams, ToSchema};

use super::Door;
use super::caller::{Caller, grant};
use super::invoices::scope;
use super::problem::Problem;
use super::query::Query;
use super::reply::Reply;
use super::time::MonthText;
use crate::export::{self, Export, Format, Syntax, Table};
use crate::model::id::OrgId;

/// Exports that may be under way at once: each keeps a thread busy.
pub const EXPORTS_MAX: usize = 4;
/// Bytes gathered before they are sent, and how many such pieces may wait for the caller.
const PIECE: usize = 64 * 1024;
const PIECES: usize = 4;
/// A caller who takes nothing for so long has left.
const PATIENCE: Duration = Duration::from_secs(30);

/// The kind of file.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FormatName {
    #[default]
    Csv,
    Parquet,
}

/// Whose syntax.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SyntaxName {
    #[default]
    Hledger,
    Beancount,
}

/// Which file of a table.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TableQuery {
    /// `csv` when left out.
    #[serde(default)]
    #[param(inline)]
    format: FormatName,
}

/// Which journal.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct JournalQuery {
    /// `hledger` when left out.
    #[serde(default)]
    #[param(inline)]
    syntax: SyntaxName,
}

/// Whose invoices, of which month.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FocusQuery {
    /// All months when left out.
    month: Option<MonthText>,
    /// For the operator's people: one customer's.
    organization_id: Option<OrgId>,
}

/// Export invoices in FOCUS
///
/// What is invoiced, in the columns of FOCUS 1.0 and its capacity reservation and invoice columns:
/// a customer's own; everybody's for the operator's people. The rows of an invoice add up to it.
#[utoipa::path(
    get, path = "/v1/exports/focus", tag = "Exports",
    params(FocusQuery),
    responses((status = 200, description = "CSV", content_type = "text/csv", body = String)),
)]
pub async fn focus(who: Caller<grant::View>, query: Query<FocusQuery>, door: Data<Door>) -> Reply {
    let customer = scope(&who, query.organization_id)?;
    let month = query.month.as_ref().map(|it| it.0);
    send(&door, Export::Focus { customer, month }, "text/csv", "focus.csv")
}

/// Export contracts
///
/// A row a contract: those the caller's organization bought or delivers; all for the operator's
/// people.
#[utoipa::path(
    get, path = "/v1/exports/contracts", tag = "Exports",
    params(TableQuery),
    responses((status = 200, description = "CSV or Parquet",
            content((String = "text/csv"), (String = "application/vnd.apache.parquet")))),
)]
pub async fn contracts(
    who: Caller<grant::View>,
    query: Query<TableQuery>,
    door: Data<Door>,
) -> Reply {
    table(&door, Table::Contracts, query.format, who.scope())
}

/// Export invoices
///
/// A row an invoice: a customer's own; all for the operator's people.
#[utoipa::path(
    get, path = "/v1/exports/invoices", tag = "Exports",
    params(TableQuery),
    responses((status = 200, description = "CSV or Parquet",
            content((String = "text/csv"), (String = "application/vnd.apache.parquet")))),
)]
pub async fn invoices(
    who: Caller<grant::View>,
    query: Query<TableQuery>,
    door: Data<Door>,
) -> Reply {
    table(&door, Table::Invoices, query.format, who.scope())
}

/// Export ledger entries
///
/// A row a transfer, of all books, the first one first. Needs the right `audit`.
#[utoipa::path(
    get, path = "/v1/exports/entries", tag = "Exports",
    params(TableQuery),
    responses((status = 200, description = "CSV or Parquet",
            content((String = "text/csv"), (String = "application/vnd.apache.parquet")))),
)]
pub async fn entries(_: Caller<grant::Audit>, query: Query<TableQuery>, door: Data<Door>) -> Reply {
    table(&door, Table::Entries, query.format, None)
}

/// Export the journal
///
/// The operator's books in plain-text double entry, one transaction an entry. Needs the right
/// `audit`.
#[utoipa::path(
    get, path = "/v1/exports/journal", tag = "Exports",
    params(JournalQuery),
    responses((status = 200, description = "The journal", content_type = "text/plain",
            body = String)),
)]
pub async fn journal(
    _: Caller<grant::Audit>,
    query: Query<JournalQuery>,
    door: Data<Door>,
) -> Reply {
    let (syntax, name) = match query.syntax {
        SyntaxName::Hledger => (Syntax::Hledger, "headroom.journal"),
        SyntaxName::Beancount => (Syntax::Beancount, "headroom.beancount"),
    };
    send(&door, Export::Journal(syntax), "text/plain; charset=utf-8", name)
}

fn table(door: &Door, what: Table, format: FormatName, party: Option<OrgId>) -> Reply {
    let name = match what {
        Table::Contracts => "contracts",
        Table::Entries => "entries",
        Table::Invoices => "invoices",
    };
    let (format, kind, ending) = match format {
        FormatName::Csv => (Format::Csv, "text/csv", "csv"),
        FormatName::Parquet => (Format::Parquet, "application/vnd.apache.parquet", "parquet"),
    };
    send(door, Export::Table { what, format, party }, kind, &format!("{name}.{ending}"))
}

/// Answers with a file that is written on a thread of its own while it is sent. A fault in the
/// middle breaks the connection off: half a file never looks like a whole one.
fn send(door: &Door, export: Export, content_type: &str, name: &str) -> Reply {
    let place = Arc::clone(&door.exports).try_acquire_owned();
    let place = place.map_err(|_| Problem::throttled())?;
    let (sender, pieces) = mpsc::channel(PIECES);
    let (reader, runtime) = (door.reader.clone(), Handle::current());
    let pipe = Pipe { sender, runtime, gathered: Vec::new(), _place: place };
    drop(tokio::task::spawn_blocking(move || {
        let mut pipe = pipe;
        let written = export::write(export, &reader, &mut pipe, &mut |_| ());
        let ended = written.map_err(io::Error::other).and_then(|()| pipe.flush());
        if let Err(fault) = ended {
            tracing::warn!("an export ended early: {fault}");
            drop(pipe.hand_over(Err(fault)));
        }
    }));
    let next = async |mut pieces: mpsc::Receiver<io::Result<Bytes>>| {
        pieces.recv().await.map(|piece| (piece, pieces))
    };
    Ok(HttpResponse::Ok()
        .content_type(content_type)
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(stream::unfold(pieces, next)))
}

/// The writing end of an answer's body.
struct Pipe {
    sender: mpsc::Sender<io::Result<Bytes>>,
    runtime: Handle,
    gathered: Vec<u8>,
    _place: OwnedSemaphorePermit,
}

impl Pipe {
    /// Waits until there is room, but not for ever.
    fn hand_over(&self, piece: io::Result<Bytes>) -> io::Result<()> {
        let sent = self.runtime.block_on(self.sender.send_timeout(piece, PATIENCE));
        sent.map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the caller has left"))
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.gathered));
        self.hand_over(Ok(piece))
    }
}
