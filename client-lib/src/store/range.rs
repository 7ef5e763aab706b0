//! Ordered reads of one table.

use hushwire_engine::store::{Order, Range, Row, Table};
use rusqlite::{Connection, params};

use super::sqlcipher::value;

/// Where a range of keys ends above.
#[derive(Debug, PartialEq, Eq)]
enum Upper<'a> {
    Open,
    Before(Vec<u8>),
    Through(&'a [u8]),
}

/// The keys of a range: from `lower` on, up to `upper`.
#[derive(Debug, PartialEq, Eq)]
struct Bounds<'a> {
    lower: &'a [u8],
    upper: Upper<'a>,
}

impl<'a> Bounds<'a> {
    fn of(range: &Range<'a>) -> Self {
        let (prefix, after) = (range.prefix, successor(range.prefix));
        match (range.order, range.from) {
            (Order::Descending, Some(from)) if after.as_deref().is_none_or(|end| from < end) => {
                Self { lower: prefix, upper: Upper::Through(from) }
            }
            (order, from) => {
                let from = from.filter(|_| order == Order::Ascending).unwrap_or(prefix);
                Self { lower: prefix.max(from), upper: after.map_or(Upper::Open, Upper::Before) }
            }
        }
    }
}

/// The smallest key that is greater than every key with this prefix, if there is one.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut key = prefix.to_vec();
    while let Some(last) = key.last_mut() {
        if let Some(next) = last.checked_add(1) {
            *last = next;
            return Some(key);
        }
        key.pop();
    }
    None
}

/// The rows of a range, as they are stored (spec: CLI-061).
pub(super) fn read(
    connection: &Connection,
    table: Table,
    range: Range<'_>,
) -> rusqlite::Result<Vec<Row>> {
    let bounds = Bounds::of(&range);
    let (comparison, upper) = match &bounds.upper {
        // Bound but not used: every shape has the same parameters.
        Upper::Open => ("AND ?2 IS NOT NULL", &[][..]),
        Upper::Before(end) => ("AND k < ?2", &end[..]),
        Upper::Through(end) => ("AND k <= ?2", *end),
    };
    let order = match range.order {
        Order::Ascending => "ASC",
        Order::Descending => "DESC",
    };
    let rows_max = i64::try_from(range.rows_max).unwrap_or(i64::MAX);
    let table = table.name();
    connection
        .prepare_cached(&format!(
            "SELECT k, v FROM {table} WHERE k >= ?1 {comparison} ORDER BY k {order} LIMIT ?3"
        ))?
        .query_map(params![bounds.lower, upper, rows_max], |row| {
            Ok(Row { key: row.get(0)?, value: value(row, 1)? })
        })?
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_successor_of_a_prefix_is_above_all_its_keys() {
        let cases: [(&[u8], Option<&[u8]>); 5] = [
            (b"", None),
            (b"a", Some(b"b")),
            (b"a\xff", Some(b"b")),
            (b"\xff\xff", None),
            (b"\xfe\xff\xff", Some(b"\xff")),
        ];
        for (prefix, expected) in cases {
            assert_eq!(successor(prefix).as_deref(), expected, "{prefix:?}");
        }
    }

    #[test]
    fn rows_are_those_that_a_sorted_list_would_give() {
        // spec: CLI-061
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE chat (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID")
            .unwrap();
        let mut keys: Vec<&[u8]> = vec![
            b"",
            b"\x00",
            b"a",
            b"a\x00",
            b"ab",
            b"a\xff",
            b"a\xff\xff",
            b"b",
            b"\xff",
            b"\xff\xff",
        ];
        keys.sort_unstable();
        for key in &keys {
            connection.execute("INSERT INTO chat VALUES (?1, ?1)", [key]).unwrap();
        }
        let mut froms: Vec<Option<&[u8]>> = keys.iter().copied().map(Some).collect();
        froms.extend([None, Some(&b"aa"[..]), Some(b"\xff\xff\xff")]);
        for prefix in [&b""[..], b"a", b"a\xff", b"b", b"c", b"\xff"] {
            for from in &froms {
                for order in [Order::Ascending, Order::Descending] {
                    for rows_max in [0, 1, 2, 100] {
                        let range = Range { prefix, from: *from, order, rows_max };
                        let found = read(&connection, Table::Chat, range).unwrap();
                        let found: Vec<_> = found.iter().map(|row| &row.key[..]).collect();
                        assert_eq!(found, expected(&keys, &range), "{range:?}");
                    }
                }
            }
        }
    }

    fn expected<'a>(keys: &[&'a [u8]], range: &Range<'_>) -> Vec<&'a [u8]> {
        let mut keys: Vec<_> =
            keys.iter().copied().filter(|key| key.starts_with(range.prefix)).collect();
        if range.order == Order::Descending {
            keys.reverse();
        }
        keys.retain(|key| match (range.order, range.from) {
            (_, None) => true,
            (Order::Ascending, Some(from)) => *key >= from,
            (Order::Descending, Some(from)) => *key <= from,
        });
        keys.truncate(range.rows_max);
        keys
    }
}
