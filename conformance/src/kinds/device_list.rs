//! Device lists, and whether an adder may use one.

use hushwire_protocol::identity::{
    DeviceList, DeviceListRank, DeviceListVersion, Fingerprint, ManagerCounter,
    UnverifiedCredential,
};
use hushwire_wire::id::Timestamp;
use serde_json::{Value, json};

use crate::{
    input::Input,
    kinds::chain::{Chain, flipped, hash, refused},
    suite::{Group, Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "device-list";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    let fingerprint = input.bytes("fingerprint").try_into().expect("32 bytes");
    let identity = Fingerprint::from_bytes(fingerprint);
    let bytes = input.bytes("list");
    let list = match DeviceList::decode(&bytes, &identity) {
        Ok(list) => list,
        Err(error) => return refused(error.name()),
    };
    assert_eq!(list.to_bytes(), bytes, "there is one encoding");
    if input.has("now_ms") {
        let minimum = DeviceListRank {
            manager_counter: ManagerCounter(input.integer("minimum_manager_counter")),
            version: DeviceListVersion(input.integer("minimum_list_version")),
        };
        if let Err(error) = list.check_fresh(minimum, Timestamp(input.integer("now_ms"))) {
            return refused(error.name());
        }
    }
    if input.has("credential") {
        let credential = UnverifiedCredential::parse(&input.bytes("credential"))
            .and_then(UnverifiedCredential::verify)
            .expect("the vector's credential is valid");
        if let Err(error) = list.entry(credential.certificate()) {
            return refused(error.name());
        }
    }
    Outcome::valid(json!({ "device_count": list.devices().len().to_string() }))
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME)
        .group(valid())
        .group(refusals())
        .group(fresh())
        .group(numbered())
        .group(listed())
}

fn varint(length: usize) -> Vec<u8> {
    match u16::try_from(length).expect("lists are short") {
        short @ 0..=63 => vec![short.to_be_bytes()[1]],
        long => (long | 0x4000).to_be_bytes().to_vec(),
    }
}

/// Of the first list that names the devices here.
const SERIAL: u64 = 5;

fn entries(chain: Chain, devices: &[u8], kind: u8) -> Vec<u8> {
    let entry = |device: &u8| {
        let certificate = chain.certificate_of(*device, SERIAL);
        let certificate = hash("certificate hash", &certificate);
        [&[*device; 16][..], &[8; 16], &certificate, &[kind]].concat()
    };
    devices.iter().flat_map(entry).collect()
}

/// `DeviceList` of these entries.
pub(super) fn list_of(chain: Chain, version: u64, entries: &[u8]) -> Vec<u8> {
    let number = |value: u64| value.to_be_bytes();
    let fields = [
        &[0, 1][..],
        &chain.statement(),
        &number(version),
        &number(1_000_000),
        &number(2_000_000),
        &varint(entries.len()),
        entries,
    ];
    chain.signed("device list", &[], &fields.concat())
}

fn input(list: &[u8]) -> Value {
    let fingerprint = hex::encode(Chain::OURS.fingerprint());
    json!({ "list": hex::encode(list), "fingerprint": fingerprint })
}

fn valid() -> Group {
    let rules = ["IDN-030", "IDN-031", "IDN-032"];
    let many: Vec<u8> = (1..=64).collect();
    [&[][..], &[4], &[4, 5], &many].iter().fold(Group::new("lists", &rules), |group, devices| {
        let list = list_of(Chain::OURS, 5, &entries(Chain::OURS, devices, 1));
        let count = devices.len().to_string();
        group.valid(&format!("{count} devices"), input(&list), json!({ "device_count": count }))
    })
}

fn refusals() -> Group {
    let ours = Chain::OURS;
    let whole = list_of(ours, 5, &entries(ours, &[4, 5], 1));
    let many: Vec<u8> = (1..=65).collect();
    let of = |chain: Chain| list_of(chain, 5, &entries(chain, &[4], 1));
    let end = whole.len();
    let mut group =
        Group::new("refused lists", &["IDN-001", "IDN-004", "IDN-022", "IDN-031", "IDN-032"]);
    for (comment, list, name) in [
        ("another identity", of(Chain { root: 9, root_signer: 9, ..ours }), "OTHER_IDENTITY"),
        ("another root signed", of(Chain { root_signer: 9, ..ours }), "STATEMENT_SIGNATURE"),
        ("another manager signed", of(Chain { signer: 9, ..ours }), "LIST_SIGNATURE"),
        ("65 devices", list_of(ours, 5, &entries(ours, &many, 1)), "TOO_LONG"),
        ("not in order", list_of(ours, 5, &entries(ours, &[5, 4], 1)), "NOT_IN_ORDER"),
        ("one device twice", list_of(ours, 5, &entries(ours, &[4, 4], 1)), "NOT_IN_ORDER"),
        ("kind 0", list_of(ours, 5, &entries(ours, &[4], 0)), "UNDEFINED_VALUE"),
        ("kind 3", list_of(ours, 5, &entries(ours, &[4], 3)), "UNDEFINED_VALUE"),
        ("half an entry", list_of(ours, 5, &entries(ours, &[4], 1)[..64]), "TRUNCATED"),
        ("nothing", vec![], "TRUNCATED"),
        ("cut off", whole[..end - 1].to_vec(), "TRUNCATED"),
        ("a byte follows", [&whole[..], &[0]].concat(), "TRAILING_BYTES"),
        ("another version", flipped(&whole, 1), "UNKNOWN_VERSION"),
        ("list version changed", flipped(&whole, 147), "LIST_SIGNATURE"),
        ("expiry changed", flipped(&whole, 163), "LIST_SIGNATURE"),
        ("slot changed", flipped(&whole, 166 + 16), "LIST_SIGNATURE"),
        ("signature changed", flipped(&whole, end - 1), "LIST_SIGNATURE"),
    ] {
        group = group.test(comment, &[], input(&list), refused(name));
    }
    group
}

fn fresh() -> Group {
    let list = list_of(Chain::OURS, 5, &entries(Chain::OURS, &[4], 1));
    let mut group =
        Group::new("fresh or not, of counter 3 and version 5", &["IDN-021", "IDN-033", "IDN-034"]);
    for (now, counter, version, name) in [
        (1_500_000u64, 0u64, 0u64, None),
        (1_500_000, 3, 5, None),
        (1_500_000, 2, 99, None),
        (1_500_000, 3, 6, Some("SUPERSEDED")),
        (1_500_000, 4, 0, Some("SUPERSEDED")),
        (1_999_999, 0, 0, None),
        (2_000_000, 0, 0, Some("LIST_EXPIRED")),
        (400_000, 0, 0, None),
        (399_999, 0, 0, Some("NOT_YET_VALID")),
    ] {
        let mut input = input(&list);
        input["now_ms"] = now.to_string().into();
        input["minimum_manager_counter"] = counter.to_string().into();
        input["minimum_list_version"] = version.to_string().into();
        let comment = format!("at {now}, at least {counter}/{version}");
        let outcome = name.map_or(Outcome::valid(json!({ "device_count": "1" })), refused);
        group = group.test(&comment, &[], input, outcome);
    }
    group
}

fn numbered() -> Group {
    let of = |version| list_of(Chain::OURS, version, &entries(Chain::OURS, &[4], 1));
    let mut group = Group::new("versions at 1,500,000", &["IDN-082"]);
    for (version, name) in
        [(2_100_000, None), (2_100_001, Some("NOT_YET_VALID")), (u64::MAX, Some("NOT_YET_VALID"))]
    {
        let mut input = input(&of(version));
        input["now_ms"] = "1500000".into();
        input["minimum_manager_counter"] = "0".into();
        input["minimum_list_version"] = "0".into();
        let outcome = name.map_or(Outcome::valid(json!({ "device_count": "1" })), refused);
        group = group.test(&format!("version {version}"), &[], input, outcome);
    }
    group
}

fn listed() -> Group {
    let ours = Chain::OURS;
    let with = |version: u64, chain: Chain, device: u8, serial: u64| {
        let mut input = input(&list_of(ours, version, &entries(ours, &[4], 1)));
        let certificate = chain.certificate_of(device, serial);
        input["credential"] = hex::encode(chain.credential_by(&certificate)).into();
        input
    };
    let other = Chain { counter: 4, ..ours };
    let mut group = Group::new("listed or not", &["IDN-030", "IDN-035", "IDN-085"]);
    for (comment, input, listed) in [
        ("listed", with(SERIAL, ours, 4, SERIAL), true),
        ("another device", with(SERIAL, ours, 5, SERIAL), false),
        ("another certificate", with(SERIAL, other, 4, SERIAL), false),
        ("another serial", with(SERIAL, ours, 4, SERIAL - 1), false),
        ("listed again", with(SERIAL + 1, ours, 4, SERIAL), true),
        ("by a list before the first that names it", with(SERIAL - 1, ours, 4, SERIAL), false),
    ] {
        let outcome = if listed {
            Outcome::valid(json!({ "device_count": "1" }))
        } else {
            refused("NOT_LISTED")
        };
        group = group.test(comment, &[], input, outcome);
    }
    group
}
