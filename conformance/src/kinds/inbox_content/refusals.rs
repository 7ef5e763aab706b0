//! Cards and items that have to be refused; each is wrong in one thing.

use crate::{
    kinds::chain::{Chain, flipped},
    suite::Group,
};

use super::{
    bytes::{
        KEY_PACKAGE, card, card_at, card_named, card_of, content, in_blob, inline, invitation,
        join_request, rejoin, rejoin_with, relay_bytes,
    },
    card_input, item_input, refuse,
};

/// Place of the manager statement in `card`: behind the address (52 bytes), inbox and capability.
const STATEMENT: usize = 52 + 16 + 32;

pub(super) fn cards() -> Group {
    let whole = card();
    let ours = Chain::OURS;
    let at = |host: &[u8], port| card_at(&relay_bytes(host, port));
    let cut = whole[..whole.len() - 1].to_vec();
    let long_length = [&[0x40, 17][..], &whole[1..]].concat();
    let cases: [(&str, Vec<u8>, &str); 17] = [
        ("nothing", vec![], "TRUNCATED"),
        ("cut off", cut, "TRUNCATED"),
        ("a byte follows", [&whole[..], &[0]].concat(), "TRAILING_BYTES"),
        ("length of the host not minimal", long_length, "BAD_LENGTH"),
        ("upper-case host", at(b"Relay.example.org", 4433), "UNDEFINED_VALUE"),
        ("no host", at(b"", 4433), "UNDEFINED_VALUE"),
        ("host not UTF-8", at(&[0xff], 4433), "NOT_TEXT"),
        ("port 0", at(b"relay.example.org", 0), "UNDEFINED_VALUE"),
        ("another version of the statement", flipped(&whole, STATEMENT + 1), "UNKNOWN_VERSION"),
        ("another root signed", card_of(Chain { root_signer: 9, ..ours }), "BAD_SIGNATURE"),
        ("manager key changed", flipped(&whole, STATEMENT + 34), "BAD_SIGNATURE"),
        ("counter changed", flipped(&whole, STATEMENT + 73), "BAD_SIGNATURE"),
        ("no name", card_named(b""), "UNDEFINED_VALUE"),
        ("name with an escape", card_named(b"a\x1b[31m"), "UNDEFINED_VALUE"),
        ("name written backwards", card_named("a\u{202e}b".as_bytes()), "UNDEFINED_VALUE"),
        ("name not UTF-8", card_named(&[0xff]), "NOT_TEXT"),
        ("name of 129 bytes", card_named(&[b'x'; 129]), "TOO_LONG"),
    ];
    let rules = ["IDN-001", "IDN-020", "LNK-001", "LNK-024", "LNK-043"];
    cases.into_iter().fold(Group::new("refused cards", &rules), |group, (comment, card, name)| {
        refuse(group, comment, card_input(&card), name)
    })
}

pub(super) fn items() -> Group {
    let update = content(2, &card());
    let request = content(3, &rejoin(None));
    let with_leaf = content(3, &rejoin(Some(6)));
    let old_leaf = request.len() - card().len() - 1;
    let marked = [&request[..old_leaf], &[2], &request[old_leaf + 1..]].concat();
    let proof = with_leaf.len() - card().len();
    // Version, kind and the fields before it.
    let package = 3 + 32 + 16 + 32 + 32 + 8;
    let long_form = [&request[..package], &[0x80, 0, 0, 70], &request[package + 2..]].concat();
    let too_long = [&request[..package], &[0x80, 0, 0x40, 1], &request[package + 2..]].concat();
    let root = Chain { root_signer: 9, ..Chain::OURS };
    let by_another_root = content(3, &rejoin_with(&KEY_PACKAGE, None, &card_of(root)));
    let asking = content(4, &join_request());
    let cases: [(&str, Vec<u8>, &str); 20] = [
        ("nothing", vec![], "TRUNCATED"),
        ("no kind", vec![0, 1], "TRUNCATED"),
        ("version 0", [&[0, 0][..], &update[2..]].concat(), "UNKNOWN_VERSION"),
        ("version 2", [&[0, 2][..], &update[2..]].concat(), "UNKNOWN_VERSION"),
        ("kind 0", content(0, &card()), "UNDEFINED_VALUE"),
        ("kind 6", content(6, &card()), "UNDEFINED_VALUE"),
        ("join request without a card", content(4, &[0; 32]), "TRUNCATED"),
        ("a byte follows a join request", [&asking[..], &[0]].concat(), "TRAILING_BYTES"),
        ("a byte follows a decline", content(5, &[0; 33]), "TRAILING_BYTES"),
        ("decline cut off", content(5, &[0; 31]), "TRUNCATED"),
        ("a byte follows a card", [&update[..], &[0]].concat(), "TRAILING_BYTES"),
        ("a byte follows a request", [&request[..], &[0]].concat(), "TRAILING_BYTES"),
        ("request cut off", request[..request.len() - 1].to_vec(), "TRUNCATED"),
        ("old leaf cut off", with_leaf[..proof - 1].to_vec(), "TRUNCATED"),
        ("request without a card", request[..=old_leaf].to_vec(), "TRUNCATED"),
        ("card of the request cut off", with_leaf[..with_leaf.len() - 1].to_vec(), "TRUNCATED"),
        ("length of the key package not minimal", long_form, "BAD_LENGTH"),
        ("key package too long", too_long, "TOO_LONG"),
        ("another root signed in the request's card", by_another_root, "BAD_SIGNATURE"),
        ("mark of the old leaf is 2", marked, "UNDEFINED_VALUE"),
    ];
    let rules = ["LNK-040", "LNK-041", "LNK-043", "LNK-088", "IDN-001"];
    cases.into_iter().fold(Group::new("refused items", &rules), |group, (comment, item, name)| {
        refuse(group, comment, item_input(&item), name)
    })
}

pub(super) fn invitations() -> Group {
    let of = |purpose, snapshot: &[u8], card: &[u8]| {
        content(1, &invitation(0x4f, purpose, snapshot, card))
    };
    let whole = of(2, &inline(), &card());
    let with_blob = in_blob(600_000);
    let too_long = in_blob(4_294_705_153);
    // The length of the secrets stands behind version, kind, address, channel, epoch, suite, purpose.
    let secrets = 3 + 52 + 32 + 32 + 2 + 1;
    let longest = [&whole[..secrets], &[0x80, 4, 0, 1], &whole[secrets + 2..]].concat();
    let long_form = [&whole[..secrets], &[0x80, 0, 0, 80], &whole[secrets + 2..]].concat();
    let cases: [(&str, Vec<u8>, &str); 13] = [
        ("purpose 0", of(0, &inline(), &card()), "UNDEFINED_VALUE"),
        ("purpose 4", of(4, &inline(), &card()), "UNDEFINED_VALUE"),
        ("snapshot kind 0", of(2, &[0], &card()), "UNDEFINED_VALUE"),
        ("snapshot kind 3", of(2, &[3], &card()), "UNDEFINED_VALUE"),
        ("secrets above the bound of an item", longest, "TOO_LONG"),
        ("length of the secrets not minimal", long_form, "BAD_LENGTH"),
        ("no snapshot", of(2, &[], &[]), "TRUNCATED"),
        ("no tree", of(2, &inline()[..12], &[]), "TRUNCATED"),
        ("blob longer than a file may be", of(2, &too_long, &card()), "TOO_LONG"),
        ("place of the blob cut off", of(2, &with_blob[..with_blob.len() - 1], &[]), "TRUNCATED"),
        ("no card", of(2, &inline(), &[]), "TRUNCATED"),
        ("a byte follows", [&whole[..], &[0]].concat(), "TRAILING_BYTES"),
        (
            "another root signed in the card",
            of(2, &inline(), &card_of(Chain { root_signer: 9, ..Chain::OURS })),
            "BAD_SIGNATURE",
        ),
    ];
    let rules = ["LNK-040", "LNK-041", "LNK-042", "LNK-043", "IDN-001"];
    cases.into_iter().fold(Group::new("refused invitations", &rules), |group, case| {
        let (comment, item, name) = case;
        refuse(group, comment, item_input(&item), name)
    })
}

pub(super) fn senders() -> Group {
    let stranger = card_of(Chain { root: 9, root_signer: 9, ..Chain::OURS });
    let invited = content(1, &invitation(0x4f, 1, &inline(), &stranger));
    let group = Group::new("cards of another than the sender", &["LNK-049"]);
    let group = refuse(group, "a card", card_input(&stranger), "CARD_OF_ANOTHER");
    let group = refuse(group, "an update", item_input(&content(2, &stranger)), "CARD_OF_ANOTHER");
    let asked = content(3, &rejoin_with(&KEY_PACKAGE, Some(6), &stranger));
    let group = refuse(group, "an invitation", item_input(&invited), "CARD_OF_ANOTHER");
    refuse(group, "a rejoin request", item_input(&asked), "CARD_OF_ANOTHER")
}
