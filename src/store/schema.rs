//! How a table is declared: its columns once, and from them the diesel table, the row and the two
//! ways of writing many rows. Knows diesel and both databases; knows no table and no rule.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sqlite::{Sqlite, SqliteValue};
use std::io::Write;
use uuid::Uuid;

/// The SQL type of identifiers: `uuid` on PostgreSQL, a BLOB of sixteen bytes on SQLite.
#[derive(Debug, Clone, Copy, diesel::sql_types::SqlType, QueryId)]
#[diesel(postgres_type(oid = 2950, array_oid = 2951))]
#[diesel(sqlite_type(name = "Binary"))]
pub struct Id;

/// An identifier, or any sixteen bytes, as a column keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[diesel(sql_type = Id)]
pub struct Uid(pub Uuid);

impl ToSql<Id, Pg> for Uid {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(self.0.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<Id, Pg> for Uid {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(Uuid::from_slice(value.as_bytes())?))
    }
}

impl ToSql<Id, Sqlite> for Uid {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(&self.0.as_bytes()[..]);
        Ok(IsNull::No)
    }
}

impl FromSql<Id, Sqlite> for Uid {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(Uuid::from_slice(value.read_blob())?))
    }
}

/// The kinds of column there are, as SQL types.
pub mod sql {
    pub use super::Id;
    pub use diesel::sql_types::{BigInt as Number, Binary as Bytes, Bool as Flag, Text};
    pub type MaybeId = diesel::sql_types::Nullable<Id>;
    pub type MaybeNumber = diesel::sql_types::Nullable<Number>;
    pub type MaybeBytes = diesel::sql_types::Nullable<Bytes>;
    pub type MaybeText = diesel::sql_types::Nullable<Text>;
}

/// The same kinds, as values in a row.
pub mod value {
    pub type Id = super::Uid;
    pub type Number = i64;
    pub type Bytes = Vec<u8>;
    pub type Flag = bool;
    pub type Text = String;
    pub type MaybeId = Option<Id>;
    pub type MaybeNumber = Option<Number>;
    pub type MaybeBytes = Option<Bytes>;
    pub type MaybeText = Option<Text>;
}

/// A row of one table, and how rows of it are bound: one after the other for SQLite's VALUES,
/// column by column for PostgreSQL's UNNEST. Implemented by [`row!`] only.
pub trait Row: Sized + Send + 'static {
    const TABLE: &'static str;
    /// The primary key.
    const KEY: &'static [&'static str];
    /// What never changes once written.
    const FIXED: &'static [&'static str];
    /// What a change may change.
    const MOVING: &'static [&'static str];

    /// All columns of many rows, for an insert.
    type Columns: Send;
    /// Key and moving columns of many rows, for an update.
    type Moves: Send;

    fn columns(rows: Vec<Self>) -> Self::Columns;
    fn moves(rows: Vec<Self>) -> Self::Moves;

    fn bind_columns<'b>(from: &'b Self::Columns, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()>;
    fn bind_moves<'b>(from: &'b Self::Moves, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()>;
    /// Key, fixed and moving values, with commas between.
    fn bind_all<'b>(&'b self, out: &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()>;
    /// `moving = ?, ... WHERE key = ? AND ...`
    fn bind_change<'b>(&'b self, out: &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()>;
}

/// Declares a table: the diesel table, the row, its binding. Column kinds are those of [`sql`].
macro_rules! row {
    (
        $(#[$doc:meta])*
        $name:ident in $table:ident
        key { $($key:ident: $key_kind:ident,)* }
        fixed { $($fixed:ident: $fixed_kind:ident,)* }
        moving { $($moving:ident: $moving_kind:ident,)* }
    ) => {
        diesel::table! {
            use $crate::store::schema::sql::*;
            $table ($($key),*) {
                $($key -> $key_kind,)* $($fixed -> $fixed_kind,)* $($moving -> $moving_kind,)*
            }
        }

        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, diesel::Queryable)]
        pub struct $name {
            $(pub $key: $crate::store::schema::value::$key_kind,)*
            $(pub $fixed: $crate::store::schema::value::$fixed_kind,)*
            $(pub $moving: $crate::store::schema::value::$moving_kind,)*
        }

        impl $crate::store::schema::Row for $name {
            const TABLE: &'static str = stringify!($table);
            const KEY: &'static [&'static str] = &[$(stringify!($key),)*];
            const FIXED: &'static [&'static str] = &[$(stringify!($fixed),)*];
            const MOVING: &'static [&'static str] = &[$(stringify!($moving),)*];

            type Columns = (
                $(Vec<$crate::store::schema::value::$key_kind>,)*
                $(Vec<$crate::store::schema::value::$fixed_kind>,)*
                $(Vec<$crate::store::schema::value::$moving_kind>,)*
            );
            type Moves = (
                $(Vec<$crate::store::schema::value::$key_kind>,)*
                $(Vec<$crate::store::schema::value::$moving_kind>,)*
            );

            fn columns(rows: Vec<Self>) -> Self::Columns {
                $(let mut $key = Vec::with_capacity(rows.len());)*
                $(let mut $fixed = Vec::with_capacity(rows.len());)*
                $(let mut $moving = Vec::with_capacity(rows.len());)*
                for row in rows {
                    $($key.push(row.$key);)* $($fixed.push(row.$fixed);)*
                    $($moving.push(row.$moving);)*
                }
                ($($key,)* $($fixed,)* $($moving,)*)
            }

            fn moves(rows: Vec<Self>) -> Self::Moves {
                $(let mut $key = Vec::with_capacity(rows.len());)*
                $(let mut $moving = Vec::with_capacity(rows.len());)*
                for row in rows {
                    $($key.push(row.$key);)* $($moving.push(row.$moving);)*
                }
                ($($key,)* $($moving,)*)
            }

            fn bind_columns<'b>(
                ($($key,)* $($fixed,)* $($moving,)*): &'b Self::Columns,
                out: &mut diesel::query_builder::AstPass<'_, 'b, diesel::pg::Pg>,
            ) -> diesel::result::QueryResult<()> {
                use diesel::sql_types::Array;
                use $crate::store::schema::{sql, value};
                let mut comma = $crate::store::schema::Comma::default();
                $(comma.put(out);
                out.push_bind_param::<Array<sql::$key_kind>, Vec<value::$key_kind>>($key)?;)*
                $(comma.put(out);
                out.push_bind_param::<Array<sql::$fixed_kind>, Vec<value::$fixed_kind>>($fixed)?;)*
                $(comma.put(out);
                out.push_bind_param::<
                    Array<sql::$moving_kind>, Vec<value::$moving_kind>,
                >($moving)?;)*
                Ok(())
            }

            fn bind_moves<'b>(
                ($($key,)* $($moving,)*): &'b Self::Moves,
                out: &mut diesel::query_builder::AstPass<'_, 'b, diesel::pg::Pg>,
            ) -> diesel::result::QueryResult<()> {
                use diesel::sql_types::Array;
                use $crate::store::schema::{sql, value};
                let mut comma = $crate::store::schema::Comma::default();
                $(comma.put(out);
                out.push_bind_param::<Array<sql::$key_kind>, Vec<value::$key_kind>>($key)?;)*
                $(comma.put(out);
                out.push_bind_param::<
                    Array<sql::$moving_kind>, Vec<value::$moving_kind>,
                >($moving)?;)*
                Ok(())
            }

            fn bind_all<'b>(
                &'b self,
                out: &mut diesel::query_builder::AstPass<'_, 'b, diesel::sqlite::Sqlite>,
            ) -> diesel::result::QueryResult<()> {
                use $crate::store::schema::sql;
                let mut comma = $crate::store::schema::Comma::default();
                $(comma.put(out);
                out.push_bind_param::<sql::$key_kind, _>(&self.$key)?;)*
                $(comma.put(out);
                out.push_bind_param::<sql::$fixed_kind, _>(&self.$fixed)?;)*
                $(comma.put(out);
                out.push_bind_param::<sql::$moving_kind, _>(&self.$moving)?;)*
                Ok(())
            }

            fn bind_change<'b>(
                &'b self,
                out: &mut diesel::query_builder::AstPass<'_, 'b, diesel::sqlite::Sqlite>,
            ) -> diesel::result::QueryResult<()> {
                use $crate::store::schema::sql;
                let mut comma = $crate::store::schema::Comma::default();
                // Some tables have nothing that moves.
                let _ = &mut comma;
                $(comma.put(out);
                out.push_sql(concat!("\"", stringify!($moving), "\" = "));
                out.push_bind_param::<sql::$moving_kind, _>(&self.$moving)?;)*
                let mut word = " WHERE ";
                $(out.push_sql(word);
                out.push_sql(concat!("\"", stringify!($key), "\" = "));
                out.push_bind_param::<sql::$key_kind, _>(&self.$key)?;
                word = " AND ";)*
                let _ = word;
                Ok(())
            }
        }
    };
}
pub(super) use row;

/// Puts a comma before everything but the first.
#[derive(Default)]
pub struct Comma {
    due: bool,
}

impl Comma {
    pub fn put<DB: Backend>(&mut self, out: &mut AstPass<'_, '_, DB>) {
        if std::mem::replace(&mut self.due, true) {
            out.push_sql(", ");
        }
    }
}

/// New rows for SQLite: `INSERT ... VALUES (?, ...), (?, ...)`. One text per number of rows, so it
/// is prepared once and its text not even made again.
pub struct InsertRows<'a, R, const N: usize>(pub &'a [R; N]);

/// A changed row for SQLite: `UPDATE ... SET ... WHERE key`.
pub struct ChangeRow<'a, R>(pub &'a R);

/// New rows for PostgreSQL: `INSERT ... SELECT * FROM unnest(...)`. One text whatever the number of
/// rows, so it is prepared once.
pub struct InsertColumns<R: Row>(pub R::Columns);

/// Changed rows for PostgreSQL: `UPDATE ... SET ... FROM unnest(...)`.
pub struct ChangeColumns<R: Row>(pub R::Moves);

impl<R: Row, const N: usize> QueryFragment<Sqlite> for InsertRows<'_, R, N> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        insert_into::<R, Sqlite>(&mut out);
        out.push_sql(" VALUES ");
        let mut comma = Comma::default();
        for row in self.0 {
            comma.put(&mut out);
            out.push_sql("(");
            row.bind_all(&mut out)?;
            out.push_sql(")");
        }
        Ok(())
    }
}

impl<R: Row> QueryFragment<Sqlite> for ChangeRow<'_, R> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("UPDATE ");
        name(R::TABLE, &mut out);
        out.push_sql(" SET ");
        self.0.bind_change(&mut out)
    }
}

impl<R: Row> QueryFragment<Pg> for InsertColumns<R> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        insert_into::<R, Pg>(&mut out);
        out.push_sql(" SELECT * FROM unnest(");
        R::bind_columns(&self.0, &mut out)?;
        out.push_sql(")");
        Ok(())
    }
}

impl<R: Row> QueryFragment<Pg> for ChangeColumns<R> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("UPDATE ");
        name(R::TABLE, &mut out);
        out.push_sql(" AS old SET ");
        let mut comma = Comma::default();
        for column in R::MOVING {
            comma.put(&mut out);
            name(column, &mut out);
            out.push_sql(" = new.");
            name(column, &mut out);
        }
        out.push_sql(" FROM unnest(");
        R::bind_moves(&self.0, &mut out)?;
        out.push_sql(") AS new (");
        names(&[R::KEY, R::MOVING], &mut out);
        let mut word = ") WHERE old.";
        for column in R::KEY {
            out.push_sql(word);
            name(column, &mut out);
            out.push_sql(" = new.");
            name(column, &mut out);
            word = " AND old.";
        }
        Ok(())
    }
}

/// `INSERT INTO table (columns)`.
fn insert_into<R: Row, DB: Backend>(out: &mut AstPass<'_, '_, DB>) {
    out.push_sql("INSERT INTO ");
    name(R::TABLE, out);
    out.push_sql(" (");
    names(&[R::KEY, R::FIXED, R::MOVING], out);
    out.push_sql(")");
}

fn names<DB: Backend>(all: &[&[&str]], out: &mut AstPass<'_, '_, DB>) {
    let mut comma = Comma::default();
    for one in all.iter().copied().flatten() {
        comma.put(out);
        name(one, out);
    }
}

/// A name in double quotes, which both databases read. Ours hold no quotes.
fn name<DB: Backend>(name: &str, out: &mut AstPass<'_, '_, DB>) {
    out.push_sql("\"");
    out.push_sql(name);
    out.push_sql("\"");
}

impl<R: 'static, const N: usize> QueryId for InsertRows<'_, R, N> {
    type QueryId = InsertRows<'static, R, N>;
}

impl<R: 'static> QueryId for ChangeRow<'_, R> {
    type QueryId = ChangeRow<'static, R>;
}

impl<R: Row> QueryId for InsertColumns<R> {
    type QueryId = Self;
}

impl<R: Row> QueryId for ChangeColumns<R> {
    type QueryId = Self;
}
