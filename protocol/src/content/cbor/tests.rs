use proptest::prelude::*;

use super::*;

fn any_item(bytes: &[u8]) -> Result<(), CborError> {
    let mut reader = Reader::new(bytes);
    reader.any(4)?;
    reader.finish()
}

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "")).unwrap()
}

#[test]
fn deterministic_items_are_taken() {
    // spec: CNT-002, from RFC 8949 appendix A
    for item in [
        "00",
        "17",
        "1818",
        "18ff",
        "190100",
        "1a00010000",
        "1b0000000100000000",
        "20",
        "3863",
        "f4",
        "f5",
        "f6",
        "f7",
        "f0",
        "f8ff",
        "f90000",
        "f98000",
        "f93c00",
        "f97e00",
        "f97c00",
        "f9fc00",
        "fa47c35000",
        "fb3ff199999999999a",
        "40",
        "4401020304",
        "60",
        "62c3bc",
        "80",
        "83010203",
        "a0",
        "a201020304",
        "a26161016162820203",
        "c11a514b67b0",
        "d82076687474703a2f2f7777772e6578616d706c652e636f6d",
        "c249010000000000000000",
        "c349010000000000000000",
        "8181818100",
        "fa00000001",
        "fb0000000000000001",
    ] {
        assert_eq!(any_item(&hex(item)), Ok(()), "{item}");
    }
}

#[test]
fn everything_else_is_refused() {
    use CborError as E;
    for (item, error) in [
        ("", E::Truncated),
        ("18", E::Truncated),
        ("1900", E::Truncated),
        ("1b00000001000000", E::Truncated),
        ("4401020", E::Truncated),
        ("830102", E::Truncated),
        ("a101", E::Truncated),
        ("c1", E::Truncated),
        // spec: CNT-002: longer than needed
        ("1817", E::NotShortest),
        ("1900ff", E::NotShortest),
        ("1a0000ffff", E::NotShortest),
        ("1b00000000ffffffff", E::NotShortest),
        ("3817", E::NotShortest),
        ("5801 00", E::NotShortest),
        ("7801 61", E::NotShortest),
        ("9801 00", E::NotShortest),
        ("b801 0000", E::NotShortest),
        ("d801 00", E::NotShortest),
        ("fa3f800000", E::NotShortest),
        ("fb3ff0000000000000", E::NotShortest),
        ("fb40f86a0000000000", E::NotShortest),
        ("f97e01", E::NotShortest),
        ("f9fe00", E::NotShortest),
        ("fa7fc00000", E::NotShortest),
        ("fb7ff8000000000000", E::NotShortest),
        ("c240", E::NotShortest),
        ("c2480100000000000000", E::NotShortest),
        ("c249000000000000000001", E::NotShortest),
        // spec: CNT-002: indefinite
        ("5fff", E::IndefiniteLength),
        ("7fff", E::IndefiniteLength),
        ("9fff", E::IndefiniteLength),
        ("bfff", E::IndefiniteLength),
        ("ff", E::IndefiniteLength),
        // Reserved heads, simple values that have no such form.
        ("1c", E::Malformed),
        ("fd", E::Malformed),
        ("f800", E::Malformed),
        ("f81f", E::Malformed),
        // spec: CNT-003
        ("0000", E::TrailingBytes),
        // spec: CNT-004
        ("61ff", E::NotUtf8),
        ("63eda080", E::NotUtf8),
        // spec: CNT-005
        ("a202000100", E::KeyOrder),
        ("a201000100", E::KeyOrder),
        ("a2616100 1800 00", E::NotShortest),
        ("a261610001 00", E::KeyOrder),
        ("a2 626161 00 6162 00", E::KeyOrder),
        // spec: CNT-006
        ("a1f600", E::KeyType),
        ("a18000", E::KeyType),
        ("a1f9000000", E::KeyType),
        ("a1c10000", E::KeyType),
        ("a11b002000000000000000", E::KeyType),
        ("a13b001fffffffffffff00", E::KeyType),
        // spec: CNT-007
        ("818181818100", E::TooDeep),
        ("c1c1c1c1c100", E::TooDeep),
        ("a100a100a100a100a0", E::TooDeep),
    ] {
        let item =
            if item.len() % 2 == 1 && !item.contains(' ') { &item[..item.len() - 1] } else { item };
        assert_eq!(any_item(&hex(item)), Err(error), "{item}");
    }
}

#[test]
fn a_declared_length_costs_nothing() {
    // spec: CNT-008: 2^63 bytes, items and pairs that are not there
    for item in ["5b7fffffffffffffff", "9b7fffffffffffffff", "bb7fffffffffffffff"] {
        assert_eq!(any_item(&hex(item)), Err(CborError::Truncated), "{item}");
    }
    assert_eq!(any_item(&hex("5bffffffffffffffff")), Err(CborError::Truncated));
}

#[test]
fn integer_keys_have_53_bits() {
    // spec: CNT-006
    assert_eq!(any_item(&hex("a11b001fffffffffffff00")), Ok(()));
    assert_eq!(any_item(&hex("a13b001ffffffffffffe00")), Ok(()));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = any_item(&bytes);
    }

    #[test]
    fn what_is_written_is_read(value in any::<u64>(), bytes in proptest::collection::vec(any::<u8>(), 0..300), text in ".{0,100}") {
        let mut writer = Writer::new();
        writer.array(5).unsigned(value).bytes(&bytes).text(&text).null().boolean(true);
        let encoded = writer.finish();
        let mut reader = Reader::new(&encoded);
        reader.array_of(5).unwrap();
        prop_assert_eq!(reader.unsigned(u64::MAX).unwrap(), value);
        prop_assert_eq!(reader.bytes(300).unwrap(), &bytes[..]);
        prop_assert_eq!(reader.text(400).unwrap(), &text);
        prop_assert!(reader.null());
        prop_assert!(reader.boolean().unwrap());
        reader.finish().unwrap();
    }

    #[test]
    fn a_second_implementation_agrees(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        // What this reader takes, ciborium writes again as the same bytes, if it reads it at all: it
        // has no unassigned simple values, and takes undefined for null.
        prop_assume!(!bytes.contains(&0xf7));
        let value = ciborium::from_reader::<ciborium::Value, _>(&bytes[..]);
        if let (Ok(()), Ok(value)) = (any_item(&bytes), value) {
            let mut again = Vec::new();
            ciborium::into_writer(&value, &mut again).unwrap();
            prop_assert_eq!(again, bytes);
        }
    }
}
