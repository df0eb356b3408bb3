//! Lists: pages from the newest to the oldest, with opaque cursors that survive inserts.

use std::fmt::Display;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use utoipa::ToSchema;

use super::kind;
use super::problem::Problem;
use crate::model::limits;
use crate::store::Fault;
use crate::store::read::{Page, Slice};

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    pub data: Vec<T>,
    /// Whether there are older ones.
    pub has_more: bool,
    /// What to send as `cursor` to get them; `null` on the last page.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
}

/// Reads `limit` and `cursor`. `kind` names the list, so that another list's cursor is refused.
pub fn page<Id: FromStr>(
    kind: &str,
    limit: Option<u32>,
    cursor: Option<&str>,
) -> Result<Page<Id>, Problem> {
    let after = cursor.map(|text| read_cursor(kind, text)).transpose()?;
    Ok(Page { after, limit: bounded(limit)? })
}

/// The page size, within its bounds.
pub fn bounded(limit: Option<u32>) -> Result<u32, Problem> {
    match limit {
        None => Ok(limits::PAGE_DEFAULT),
        Some(limit @ 1..=limits::PAGE_MAX) => Ok(limit),
        Some(limit) => {
            let detail = format!("limit is 1 to {}, not {limit}.", limits::PAGE_MAX);
            Err(Problem::new(&kind::INVALID_QUERY, detail.clone()).error(
                "limit",
                "out_of_bounds",
                detail,
            ))
        }
    }
}

/// Spells a page. `id` is what the cursor goes by.
pub fn list<T, V, Id: Display>(
    kind: &str,
    slice: Slice<T>,
    id: impl Fn(&T) -> Id,
    view: impl Fn(T) -> V,
) -> List<V> {
    let last = slice.data.last().filter(|_| slice.has_more);
    let next_cursor = last.map(|last| write_cursor(kind, id(last)));
    List { has_more: slice.has_more, next_cursor, data: slice.data.into_iter().map(view).collect() }
}

/// A list that fits on one page.
pub fn whole<T>(data: Vec<T>) -> List<T> {
    List { data, has_more: false, next_cursor: None }
}

/// Reads a list from the newest on, until it ends or `meet` says of one that it was the last. A sum
/// over part of a list would be wrong without saying so: nothing else ends it.
pub fn walk<T, Id>(
    read: impl Fn(&Page<Id>) -> Result<Slice<T>, Fault>,
    id: impl Fn(&T) -> Id,
    mut meet: impl FnMut(T) -> bool,
) -> Result<(), Fault> {
    let mut after = None;
    loop {
        let slice = read(&Page { after, limit: limits::READ_AT_ONCE })?;
        after = slice.data.last().map(&id);
        let goes_on = slice.data.into_iter().all(&mut meet);
        if !goes_on || !slice.has_more {
            return Ok(());
        }
    }
}

/// All of a list, newest first, down to the first that `goes_on` refuses.
pub fn gather<T, Id>(
    read: impl Fn(&Page<Id>) -> Result<Slice<T>, Fault>,
    id: impl Fn(&T) -> Id,
    goes_on: impl Fn(&T) -> bool,
) -> Result<Vec<T>, Fault> {
    let mut all = Vec::new();
    walk(read, id, |one| {
        let is_one = goes_on(&one);
        if is_one {
            all.push(one);
        }
        is_one
    })?;
    Ok(all)
}

pub fn write_cursor(kind: &str, id: impl Display) -> String {
    URL_SAFE_NO_PAD.encode(format!("{kind}:{id}"))
}

fn read_cursor<Id: FromStr>(kind: &str, text: &str) -> Result<Id, Problem> {
    let foreign = || {
        let kind = &kind::INVALID_CURSOR;
        Problem::new(kind, kind.meaning).error("cursor", "invalid_cursor", kind.title)
    };
    // The longest code makes a cursor far shorter than this.
    if text.len() > 256 {
        return Err(foreign());
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| foreign())?;
    let inner = str::from_utf8(&bytes).map_err(|_| foreign())?;
    let id = inner.strip_prefix(kind).and_then(|rest| rest.strip_prefix(':'));
    id.and_then(|id| id.parse().ok()).ok_or_else(foreign)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::{OrderId, OrgId};
    use uuid::Uuid;

    #[test]
    fn a_cursor_leads_to_the_next_page() {
        let ids = [3, 2].map(|n| OrderId::new(Uuid::from_u128(n)));
        let slice = Slice { data: ids.to_vec(), has_more: true };
        let shown = list("order", slice, |id| *id, |id| id.to_string());
        let cursor = shown.next_cursor.expect("there is more");
        let next: Page<OrderId> = page("order", Some(7), Some(&cursor)).expect("our own cursor");
        assert_eq!(next, Page { after: Some(ids[1]), limit: 7 });
        let last = list("order", Slice { data: ids.to_vec(), has_more: false }, |id| *id, |id| id);
        assert_eq!(last.next_cursor, None);
    }

    #[test]
    fn a_list_of_any_length_is_walked_with_one_page_in_memory() {
        use std::cell::Cell;
        /// Counts how many of its kind there are.
        struct Thing<'a>(u64, &'a Cell<usize>);
        impl Drop for Thing<'_> {
            fn drop(&mut self) {
                self.1.set(self.1.get() - 1);
            }
        }
        let (there, most) = (Cell::new(0), Cell::new(0));
        let make = |id| {
            there.set(there.get() + 1);
            most.set(there.get().max(most.get()));
            Thing(id, &there)
        };
        let read = |page: &Page<u64>| {
            let end = page.after.unwrap_or(100_001);
            let start = end.saturating_sub(u64::from(page.limit)).max(1);
            Ok(Slice { data: (start..end).rev().map(make).collect(), has_more: start > 1 })
        };
        let (mut count, mut sum) = (0, 0);
        walk(
            read,
            |one| one.0,
            |one| {
                (count, sum) = (count + 1, sum + one.0);
                true
            },
        )
        .expect("it is read");
        assert_eq!((count, sum), (100_000, 100_000 * 100_001 / 2));
        let page = usize::try_from(limits::READ_AT_ONCE).expect("a small number");
        assert_eq!(most.get(), page, "never more than a page");
    }

    #[test]
    fn a_long_list_is_read_to_its_end() {
        let all: Vec<u64> = (1..=2_500).rev().collect();
        let read = |page: &Page<u64>| {
            let older = all.iter().filter(|one| page.after.is_none_or(|after| **one < after));
            let limit = usize::try_from(page.limit).expect("a small number");
            let mut data: Vec<u64> = older.take(limit + 1).copied().collect();
            let has_more = data.len() > limit;
            data.truncate(limit);
            Ok(Slice { data, has_more })
        };
        let whole = gather(read, |one| *one, |_| true).expect("it is read");
        assert_eq!(whole, all);
        let young = gather(read, |one| *one, |one| *one > 1_200).expect("it is read");
        assert_eq!((young.len(), young.last()), (1_300, Some(&1_201)));
    }

    #[test]
    fn a_foreign_cursor_is_refused() {
        let order = write_cursor("order", OrderId::new(Uuid::from_u128(1)));
        assert!(page::<OrgId>("organization", None, Some(&order)).is_err());
        assert!(page::<OrderId>("quote", None, Some(&order)).is_err());
        let long = "A".repeat(10_000);
        for text in ["", "x", "!!!!", "b3JkZXI6", "b3JkZXI6b3JkXzE", "AAAA", &long] {
            let problem = page::<OrderId>("order", None, Some(text)).expect_err(text);
            assert_eq!(problem.kind(), &kind::INVALID_CURSOR);
        }
    }

    #[test]
    fn the_limit_has_bounds() {
        assert_eq!(bounded(None).expect("default"), 20);
        assert_eq!(bounded(Some(100)).expect("the most"), 100);
        for limit in [0, 101, u32::MAX] {
            assert_eq!(bounded(Some(limit)).expect_err("out").kind().status, 400);
        }
    }
}
