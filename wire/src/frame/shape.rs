//! One valid encoding: a look at a frame's protobuf bytes before the decoder sees them.
//!
//! The protobuf decoder is lenient where we are not: it takes repeated fields (the last one wins),
//! cuts integers down to the width of their field, and follows groups. All of that is refused here.
//! Fields this version does not know are stepped over, so that a later version can add some
//! (spec: WIRE-015).

use crate::message::RequestId;

use super::fault::{Fault, FrameError};

/// A field that this version knows.
pub(super) struct Field {
    number: u32,
    kind: Kind,
}

/// What a known field holds.
enum Kind {
    /// A varint up to `max`; a `bool` is one up to 1.
    Integer { max: u64 },
    /// Bytes of any length.
    Bytes,
    /// A message with these fields. The tables do not recurse, so they bound the depth.
    Message(&'static [Field]),
}

/// The tables, written by the build from `proto/wire.proto`.
mod tables {
    #![allow(unreachable_pub, reason = "generated")]
    use super::{Field, Kind};
    include!(concat!(env!("OUT_DIR"), "/shape_tables.rs"));
}

/// Field number of the request id, in both directions.
const REQUEST: u32 = 1;
/// From this number on, the top level holds operations or answers: exactly one (spec: WIRE-005).
const OPERATIONS_FROM: u32 = 8;

/// Holds a client's frame against the tables; says which request it is.
pub(super) fn check_request(frame: &[u8]) -> Result<RequestId, FrameError> {
    check_frame(frame, tables::TO_RELAY)
}

/// Holds a relay's frame against the tables; says which request it belongs to.
pub(super) fn check_answer(frame: &[u8]) -> Result<RequestId, FrameError> {
    check_frame(frame, tables::TO_CLIENT)
}

fn check_frame(frame: &[u8], fields: &'static [Field]) -> Result<RequestId, FrameError> {
    // Fields come in ascending order: the id is known before anything behind it can be wrong.
    let mut request = None;
    check_top(frame, fields, &mut request).map_err(|fault| FrameError { request, fault })?;
    // Protobuf leaves a 0 out.
    Ok(request.unwrap_or(RequestId(0)))
}

fn check_top(
    frame: &[u8],
    fields: &'static [Field],
    request: &mut Option<RequestId>,
) -> Result<(), Fault> {
    let mut cursor = Cursor::new(frame);
    let mut operations = 0_u32;
    let mut unknown = None;
    while let Some(field) = cursor.next_field()? {
        if let (REQUEST, Value::Integer(id)) = (field.number, &field.value) {
            *request = Some(RequestId(*id));
        }
        let known = check_field(&field, fields)?;
        if field.number >= OPERATIONS_FROM {
            operations = operations.saturating_add(1);
            if known == Known::No {
                unknown = Some(Fault::UnknownOperation);
            }
        }
    }
    match operations {
        0 => Err(Fault::NoOperation),
        1 => unknown.map_or(Ok(()), Err),
        _ => Err(Fault::SeveralOperations),
    }
}

fn check_message(message: &[u8], fields: &'static [Field]) -> Result<(), Fault> {
    let mut cursor = Cursor::new(message);
    while let Some(field) = cursor.next_field()? {
        check_field(&field, fields)?;
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Yes,
    No,
}

fn check_field(field: &RawField<'_>, fields: &'static [Field]) -> Result<Known, Fault> {
    let Some(known) = fields.iter().find(|known| known.number == field.number) else {
        return Ok(Known::No);
    };
    match (&known.kind, &field.value) {
        // spec: WIRE-014
        (Kind::Integer { max }, Value::Integer(value)) if value > max => Err(Fault::IntegerRange),
        (Kind::Integer { .. }, Value::Integer(_)) | (Kind::Bytes, Value::Bytes(_)) => {
            Ok(Known::Yes)
        }
        (Kind::Message(inner), Value::Bytes(message)) => {
            check_message(message, inner)?;
            Ok(Known::Yes)
        }
        _ => Err(Fault::WireType),
    }
}

/// One field as it stands in the bytes.
struct RawField<'a> {
    number: u32,
    value: Value<'a>,
}

enum Value<'a> {
    Integer(u64),
    Bytes(&'a [u8]),
    /// Four or eight bytes: no field of ours, but a later version's may be one.
    Fixed,
}

/// Steps through the fields of one message.
struct Cursor<'a> {
    rest: &'a [u8],
    last_number: u32,
}

impl<'a> Cursor<'a> {
    const fn new(message: &'a [u8]) -> Self {
        Self { rest: message, last_number: 0 }
    }

    fn next_field(&mut self) -> Result<Option<RawField<'a>>, Fault> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).map_err(|_| Fault::FieldNumber)?;
        // spec: WIRE-013
        if number == 0 || number > NUMBER_MAX {
            return Err(Fault::FieldNumber);
        }
        let value = match key & 7 {
            0 => Value::Integer(self.varint()?),
            1 => self.fixed(8)?,
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Fault::Truncated)?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.fixed(4)?,
            // 3 and 4 are groups; 6 and 7 do not exist (spec: WIRE-013).
            _ => return Err(Fault::WireType),
        };
        // Ascending order shows a repeated field without a memory of those that came before
        // (spec: WIRE-006).
        if number <= self.last_number {
            return Err(Fault::FieldOrder);
        }
        self.last_number = number;
        Ok(Some(RawField { number, value }))
    }

    fn fixed(&mut self, length: usize) -> Result<Value<'a>, Fault> {
        self.take(length).map(|_| Value::Fixed)
    }

    // spec: WIRE-016
    fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Seven bits a byte, the lowest first; the last byte is not 0 unless it is the only one
    /// (spec: WIRE-012).
    fn varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or(Fault::Truncated)?;
            self.rest = rest;
            let bits = u64::from(byte & 0x7f);
            if bits > u64::MAX >> shift {
                return Err(Fault::Varint);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return if byte == 0 && shift > 0 { Err(Fault::Varint) } else { Ok(value) };
            }
        }
        Err(Fault::Varint)
    }
}

/// The largest field number of protobuf.
const NUMBER_MAX: u32 = (1 << 29) - 1;

#[cfg(test)]
mod tests {
    use super::{super::fault::SessionAfter, *};

    fn fault(frame: &[u8]) -> Fault {
        check_request(frame).unwrap_err().fault
    }

    #[test]
    fn each_leniency_of_protobuf_is_refused() {
        // spec: WIRE-005, WIRE-006, WIRE-012, WIRE-013, WIRE-014, WIRE-016
        let cases: &[(&str, &[u8], Fault)] = &[
            ("nothing", &[], Fault::NoOperation),
            ("only an id", &[0x08, 1], Fault::NoOperation),
            ("group", &[0x08, 1, 0x4b, 0x4c], Fault::WireType),
            ("wire type 6", &[0x08, 1, 0x4e], Fault::WireType),
            ("wire type 7", &[0x08, 1, 0x4f], Fault::WireType),
            ("integer for a message", &[0x08, 1, 0x48, 0], Fault::WireType),
            ("field number 0", &[0x02, 0], Fault::FieldNumber),
            ("id twice", &[0x08, 1, 0x08, 1, 0x4a, 0], Fault::FieldOrder),
            ("id last", &[0x4a, 0, 0x08, 1], Fault::FieldOrder),
            ("ping and stop", &[0x08, 1, 0x4a, 0, 0x52, 0], Fault::SeveralOperations),
            ("ping and unknown", &[0x08, 1, 0x4a, 0, 0x5a, 0], Fault::SeveralOperations),
            ("unknown", &[0x08, 1, 0x5a, 0], Fault::UnknownOperation),
            ("long varint", &[0x08, 0x81, 0x00, 0x4a, 0], Fault::Varint),
            (
                "65 bits",
                &[8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2, 0x4a, 0],
                Fault::Varint,
            ),
            ("33 bits in 32", &[0x42, 6, 0x08, 0x80, 0x80, 0x80, 0x80, 0x10], Fault::IntegerRange),
            ("bool of 2", &[8, 1, 0xa2, 1, 2, 0x20, 2], Fault::IntegerRange),
            ("ends in a key", &[0x08, 1, 0x8a], Fault::Truncated),
            ("ends in a field", &[0x08, 1, 0x4a, 1], Fault::Truncated),
        ];
        for (name, frame, expected) in cases {
            assert_eq!(fault(frame), *expected, "{name}");
        }
    }

    #[test]
    fn unknown_fields_are_stepped_over() {
        // spec: WIRE-015
        // Number 7 of the top level, number 15 of the ping: varint, fixed, bytes.
        assert_eq!(check_request(&[0x08, 9, 0x38, 5, 0x4a, 2, 0x78, 1]), Ok(RequestId(9)));
        assert!(check_request(&[0x08, 9, 0x3d, 1, 2, 3, 4, 0x4a, 0]).is_ok());
        assert!(check_request(&[0x08, 9, 0x39, 1, 2, 3, 4, 5, 6, 7, 8, 0x4a, 0]).is_ok());
        assert!(check_request(&[0x08, 9, 0x3a, 1, 0xff, 0x4a, 0]).is_ok());
    }

    #[test]
    fn the_request_is_known_when_something_behind_it_is_wrong() {
        // spec: WIRE-007
        let error = check_request(&[0x08, 9, 0x5a, 0]).unwrap_err();
        assert_eq!(error.request, Some(RequestId(9)));
        assert_eq!(error.session(), SessionAfter::GoesOn);
        let error = check_request(&[0x4a, 0, 0x08, 9]).unwrap_err();
        assert_eq!(error.request, None);
        assert_eq!(error.session(), SessionAfter::Ends);
    }
}
