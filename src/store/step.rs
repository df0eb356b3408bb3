//! The steps of a commit, and how each database takes them. Knows rows and statements, not what
//! they mean.
//!
//! The two databases differ here and only here. SQLite is in this process: a prepared statement for
//! every few rows. PostgreSQL is a round trip away: one prepared statement per table, rows as
//! arrays through UNNEST, all statements of a commit sent before the first answer is read, COMMIT
//! once all are right.

use std::hash::Hash;

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use diesel::connection::Connection;
use diesel::pg::Pg;
use diesel::query_builder::{QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel_async::{AsyncConnectionCore, AsyncPgConnection, SimpleAsyncConnection};

use super::Fault;
use super::link::{Db, fault};
use super::schema::{ChangeColumns, ChangeRow, InsertColumns, InsertRows, Row};
use crate::engine::effect::{Fact, Facts};

/// Rows in one INSERT on SQLite: few enough texts to keep prepared, long enough to spread their
/// cost.
const ROWS_PER_INSERT: usize = 16;

/// One statement or one table's share of a commit.
trait Step: Send {
    fn on_sqlite(&self, link: &mut SqliteConnection) -> QueryResult<usize>;
    fn on_postgres<'l>(self: Box<Self>, link: &'l AsyncPgConnection) -> Answer<'l>;
}

/// How many rows it touched, once it is known.
type Answer<'l> = Pin<Box<dyn Future<Output = QueryResult<usize>> + Send + 'l>>;

/// What a step must have done to be right.
#[derive(Clone, Copy)]
enum Must {
    /// Touched so many rows: a thing that changed is there.
    Touch(usize),
    /// Moved the market on by one commit: nobody else has.
    MoveOn,
    /// Anything at all.
    Whatever,
}

impl Must {
    fn judge(self, touched: usize) -> Result<(), Fault> {
        match self {
            Must::Touch(rows) if rows != touched => {
                Err(Fault::Corrupt("a thing that changed is not there".to_owned()))
            }
            Must::MoveOn if touched != 1 => Err(Fault::Deposed),
            Must::Touch(_) | Must::MoveOn | Must::Whatever => Ok(()),
        }
    }
}

struct Births<R>(Vec<R>);
struct Changes<R>(Vec<R>);
struct Plain<Q>(Q);

/// Any statement that diesel spells the same way for both.
pub trait Statement: QueryFragment<Sqlite> + QueryFragment<Pg> + QueryId + Send + 'static {}

impl<Q: QueryFragment<Sqlite> + QueryFragment<Pg> + QueryId + Send + 'static> Statement for Q {}

impl<R: Row> Step for Births<R> {
    fn on_sqlite(&self, link: &mut SqliteConnection) -> QueryResult<usize> {
        let mut touched = 0;
        let (chunks, rest) = self.0.as_chunks::<ROWS_PER_INSERT>();
        for rows in chunks {
            touched += link.execute_returning_count(&InsertRows(rows))?;
        }
        for row in rest {
            touched += link.execute_returning_count(&InsertRows(std::array::from_ref(row)))?;
        }
        Ok(touched)
    }

    fn on_postgres<'l>(self: Box<Self>, mut link: &'l AsyncPgConnection) -> Answer<'l> {
        link.execute_returning_count(InsertColumns::<R>(R::columns(self.0)))
    }
}

impl<R: Row> Step for Changes<R> {
    fn on_sqlite(&self, link: &mut SqliteConnection) -> QueryResult<usize> {
        let mut touched = 0;
        for row in &self.0 {
            touched += link.execute_returning_count(&ChangeRow(row))?;
        }
        Ok(touched)
    }

    fn on_postgres<'l>(self: Box<Self>, mut link: &'l AsyncPgConnection) -> Answer<'l> {
        link.execute_returning_count(ChangeColumns::<R>(R::moves(self.0)))
    }
}

impl<Q: Statement> Step for Plain<Q> {
    fn on_sqlite(&self, link: &mut SqliteConnection) -> QueryResult<usize> {
        link.execute_returning_count(&self.0)
    }

    fn on_postgres<'l>(self: Box<Self>, mut link: &'l AsyncPgConnection) -> Answer<'l> {
        link.execute_returning_count(self.0)
    }
}

/// The steps of a commit in the order in which they are written: what is referred to comes first.
#[derive(Default)]
pub struct Plan(Vec<(Box<dyn Step>, Must)>);

impl Plan {
    /// New rows.
    pub fn births<R: Row>(&mut self, rows: Vec<R>) {
        if !rows.is_empty() {
            let must = Must::Touch(rows.len());
            self.0.push((Box::new(Births(rows)), must));
        }
    }

    /// Rows that are there and changed.
    pub fn changes<R: Row>(&mut self, rows: Vec<R>) {
        if !rows.is_empty() {
            let must = Must::Touch(rows.len());
            self.0.push((Box::new(Changes(rows)), must));
        }
    }

    /// The facts of one kind whose rows are made of the thing alone.
    pub fn facts<'f, K, T, R>(&mut self, facts: &'f Facts<K, T>)
    where
        K: Ord + Hash,
        R: Row + From<&'f T>,
    {
        self.births(facts.births().map(R::from).collect());
        self.changes(facts.changes().map(R::from).collect());
    }

    /// The facts of one kind whose rows are made of key and thing.
    pub fn keyed<K: Ord + Hash, T, R: Row>(
        &mut self,
        facts: &Facts<K, T>,
        row: impl Fn(&K, &T) -> R,
    ) {
        let (born, changed): (Vec<_>, Vec<_>) = facts.iter().partition(|(_, fact)| fact.born);
        let rows = |facts: Vec<(&K, &Fact<T>)>| {
            facts.into_iter().map(|(key, fact)| row(key, &fact.thing)).collect()
        };
        self.births(rows(born));
        self.changes(rows(changed));
    }

    /// A statement that touches one row, or else another writer has been here.
    pub fn move_on<Q: Statement>(&mut self, statement: Q) {
        self.0.push((Box::new(Plain(statement)), Must::MoveOn));
    }

    /// A statement that may touch any number of rows.
    pub fn also<Q: Statement>(&mut self, statement: Q) {
        self.0.push((Box::new(Plain(statement)), Must::Whatever));
    }

    /// Takes all steps in one transaction, or none. `last` is done before readers can see what is
    /// not on disk yet; PostgreSQL never shows such.
    ///
    /// # Errors
    /// When the database refuses a step, or a step did not do what it must. The connection is not
    /// to be used again.
    pub fn carry_out(self, db: &mut Db, last: impl FnOnce()) -> Result<(), Fault> {
        match db {
            Db::Sqlite(link) => write_sqlite(link, self, last),
            Db::Postgres(link) => link.wait(async |link| write_postgres(link, self).await),
        }
    }
}

fn write_sqlite(link: &mut SqliteConnection, plan: Plan, last: impl FnOnce()) -> Result<(), Fault> {
    // Immediate: a transaction that may write from its start never fails half-way for want of the
    // lock.
    let outcome = link.immediate_transaction(|link| {
        for (step, must) in &plan.0 {
            let touched = step.on_sqlite(link)?;
            must.judge(touched).map_err(Undone::Judged)?;
        }
        last();
        Ok(())
    });
    outcome.map_err(|undone| match undone {
        Undone::Refused(error) => fault(error),
        Undone::Judged(fault) => fault,
    })
}

/// Why a transaction was rolled back.
enum Undone {
    Refused(diesel::result::Error),
    Judged(Fault),
}

impl From<diesel::result::Error> for Undone {
    fn from(error: diesel::result::Error) -> Self {
        Undone::Refused(error)
    }
}

/// Sends BEGIN and every step without waiting, reads all answers, judges them, then commits. After
/// a fault the caller drops the connection, and the server rolls back.
async fn write_postgres(link: &mut AsyncPgConnection, plan: Plan) -> Result<(), Fault> {
    let shared: &AsyncPgConnection = link;
    let mut begin = shared;
    let begin: Answer<'_> = Box::pin(async move { begin.batch_execute("BEGIN").await.map(|()| 0) });
    let mut answers = vec![begin];
    let mut musts = vec![Must::Whatever];
    for (step, must) in plan.0 {
        answers.push(step.on_postgres(shared));
        musts.push(must);
    }
    for (answer, must) in in_order(answers).await.into_iter().zip(musts) {
        must.judge(answer.map_err(fault)?)?;
    }
    link.batch_execute("COMMIT").await.map_err(fault)
}

/// Drives all at once, asking each in the order of the list whenever anything moves, so that they
/// are sent in that order: a statement sends when it is first asked or, while one before it is
/// being prepared, when it gets its turn at the queue for that, which is fair.
async fn in_order(mut answers: Vec<Answer<'_>>) -> Vec<QueryResult<usize>> {
    let mut done: Vec<Option<QueryResult<usize>>> = answers.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (answer, done) in answers.iter_mut().zip(&mut done) {
            if done.is_none()
                && let Poll::Ready(outcome) = answer.as_mut().poll(context)
            {
                *done = Some(outcome);
            }
        }
        if done.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}
