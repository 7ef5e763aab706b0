//! What can be done to a sound message so that it is no message any more.

use super::{
    Mutant,
    raw::{self, FieldLength, RawField, RawValue},
    samples::{IdRule, Operation, Sample, Side},
};

fn mutant(comment: impl Into<String>, flag: &'static str, message: Vec<u8>) -> Mutant {
    Mutant { comment: comment.into(), flag, message }
}

/// The sample with one field of its operation changed by `change`; nested fields too.
fn with_each_field(
    sample: &Sample,
    change: impl Fn(&Operation, usize) -> Vec<(String, Operation)>,
) -> Vec<(String, Vec<u8>)> {
    let mut changed = Vec::new();
    for index in 0..sample.operation.fields.len() {
        for (comment, operation) in change(&sample.operation, index) {
            changed.push((comment, sample.with(&operation).encode()));
        }
        let RawValue::Message(inner) = &sample.operation.fields[index].value else {
            continue;
        };
        let nested =
            Operation { number: sample.operation.fields[index].number, fields: inner.clone() };
        for inner_index in 0..inner.len() {
            for (comment, nested) in change(&nested, inner_index) {
                let mut operation = sample.operation.clone();
                operation.fields[index].value = RawValue::Message(nested.fields);
                let comment = format!("in field {}, {comment}", nested.number);
                changed.push((comment, sample.with(&operation).encode()));
            }
        }
    }
    changed
}

fn mutants(flag: &'static str, changed: Vec<(String, Vec<u8>)>) -> Vec<Mutant> {
    changed.into_iter().map(|(comment, message)| mutant(comment, flag, message)).collect()
}

/// Ends the message early: without its last byte, in the middle, after the operation's key.
pub(super) fn cut(sample: &Sample) -> Vec<Mutant> {
    let message = sample.encode();
    let id = sample.id_field().map_or(0, |id| raw::encode(&[id]).len());
    let mut lengths = vec![message.len() - 1, id + (message.len() - id) / 2, id + 1];
    lengths.dedup();
    lengths
        .into_iter()
        .map(|length| {
            let comment = format!("{length} of {} bytes", message.len());
            mutant(comment, "Cut", message[..length].to_vec())
        })
        .collect()
}

/// Repeats each field; swaps the first two; puts the id last.
pub(super) fn order(sample: &Sample) -> Vec<Mutant> {
    let changed = with_each_field(sample, |operation, index| {
        let number = operation.fields[index].number;
        let mut twice = operation.clone();
        twice.fields.insert(index, operation.fields[index].clone());
        let mut changes = vec![(format!("field {number} twice"), twice)];
        if index > 0 {
            let mut swapped = operation.clone();
            swapped.fields.swap(index, index - 1);
            changes.push((format!("field {number} too early"), swapped));
        }
        changes
    });
    let mut all = mutants("Order", changed);
    let operation = sample.operation_field();
    if let Some(id) = sample.id_field() {
        let last = raw::encode(&[operation.clone(), id.clone()]);
        all.push(mutant("the id last", "Order", last));
        let twice = raw::encode(&[id.clone(), id, operation.clone()]);
        all.push(mutant("the id twice", "Order", twice));
    }
    let twice: Vec<_> =
        sample.id_field().into_iter().chain([operation.clone(), operation]).collect();
    all.push(mutant("the operation twice", "Order", raw::encode(&twice)));
    all
}

/// Gives each field the wire type of the others.
pub(super) fn wire_type(sample: &Sample) -> Vec<Mutant> {
    let changed = with_each_field(sample, |operation, index| {
        let field = &operation.fields[index];
        let other = match field.value {
            RawValue::Integer(_) => ("bytes", RawValue::Bytes(vec![1])),
            _ => ("a varint", RawValue::Integer(1)),
        };
        let values = [
            other,
            ("eight bytes", RawValue::Fixed64),
            ("four bytes", RawValue::Fixed32),
            ("a group", RawValue::Group),
            ("wire type 7", RawValue::NoWireType),
        ];
        // One foreign type for each field, in turn, and each of them for the first.
        let chosen =
            values.into_iter().enumerate().filter(|(turn, _)| index == 0 || *turn == index % 5);
        chosen
            .map(|(_, (what, value))| {
                let mut operation = operation.clone();
                operation.fields[index].value = value;
                (format!("field {} as {what}", field.number), operation)
            })
            .collect()
    });
    let mut all = mutants("WireType", changed);
    let id: Vec<_> = sample.id_field().into_iter().collect();
    let values = [
        ("a group", RawValue::Group),
        ("a varint", RawValue::Integer(1)),
        ("wire type 7", RawValue::NoWireType),
    ];
    for (what, value) in values {
        let operation = RawField { value, ..sample.operation_field() };
        let fields: Vec<_> = id.iter().cloned().chain([operation]).collect();
        let comment = format!("the operation as {what}");
        all.push(mutant(comment, "WireType", raw::encode(&fields)));
    }
    all
}

/// Takes the last byte off each field of a fixed length, adds one, and empties half of it.
pub(super) fn length(sample: &Sample) -> Vec<Mutant> {
    let changed = with_each_field(sample, |operation, index| {
        let field = &operation.fields[index];
        let RawValue::Bytes(bytes) = &field.value else {
            return Vec::new();
        };
        let longer = [bytes, &[0][..]].concat();
        let shorter = bytes[..bytes.len() - 1].to_vec();
        let lengths = match field.length {
            FieldLength::Fixed => vec![shorter, longer, bytes.repeat(2)],
            FieldLength::List => vec![shorter, longer],
            FieldLength::Any => Vec::new(),
        };
        lengths
            .into_iter()
            .map(|bytes| {
                let comment = format!("field {} of {} bytes", field.number, bytes.len());
                let mut operation = operation.clone();
                operation.fields[index].value = RawValue::Bytes(bytes);
                (comment, operation)
            })
            .collect()
    });
    mutants("Length", changed)
}

/// Leaves each required field out, and empties it.
pub(super) fn missing(sample: &Sample) -> Vec<Mutant> {
    let changed = with_each_field(sample, |operation, index| {
        let field = &operation.fields[index];
        if !required(sample.side, sample.operation.number, operation, index) {
            return Vec::new();
        }
        let mut without = operation.clone();
        without.fields.remove(index);
        let mut changes = vec![(format!("without field {}", field.number), without)];
        if let RawValue::Bytes(_) = field.value {
            let mut emptied = operation.clone();
            emptied.fields[index].value = RawValue::Bytes(Vec::new());
            changes.push((format!("field {} empty", field.number), emptied));
        }
        changes
    });
    mutants("Missing", changed)
}

/// Whether the field is one that `spec/wire.md` requires.
fn required(side: Side, operation: u32, message: &Operation, index: usize) -> bool {
    let field = &message.fields[index];
    let optional = match (side, operation, field.number) {
        // Append.commit, CapabilityPut.card
        (Side::ToRelay, 19, 4) | (Side::ToRelay, 37, 5) => message.number == operation,
        // Entry.commit, EpochEnd.signature, Card
        (Side::ToClient, 18, 5) | (Side::ToClient, 19, 4) | (Side::ToClient, 49, _) => {
            message.number == operation
        }
        // Error.code is the one integer that has to be there.
        (Side::ToClient, 10, 1) => return true,
        _ => false,
    };
    let integer = matches!(field.value, RawValue::Integer(_));
    !optional && !integer && field.length != FieldLength::List
}

/// The hello with an id, everything else without one.
pub(super) fn request_id(sample: &Sample) -> Vec<Mutant> {
    let operation = sample.operation_field();
    match sample.id_rule {
        IdRule::Either => Vec::new(),
        IdRule::Zero => {
            let with_id = [RawField::integer(1, 1), operation];
            vec![mutant("with an id", "", raw::encode(&with_id))]
        }
        IdRule::AboveZero => {
            let zero = [RawField::integer(1, 0), operation.clone()];
            vec![
                mutant("without an id", "", raw::encode(&[operation])),
                mutant("with id 0", "", raw::encode(&zero)),
            ]
        }
    }
}
