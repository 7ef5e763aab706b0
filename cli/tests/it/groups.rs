//! What the members of a group agree on: names, pictures, roles, rights, and the end.

use hushwire::{
    command::{
        ChatNumber, ChatState, Command, FailureReason, GroupChange, GroupEdit, GroupRight,
        MemberRole, Mentioned, MessageNumber, PictureChange, Pinned, RightGrant, RoleGrant,
    },
    event::{Event, GroupPart},
};
use serde_json::{Value, json};

use crate::fake::Bench;

fn changed(change: impl Into<GroupChange>) -> Command {
    Command::ChangeGroup { chat: ChatNumber(3), change: change.into() }
}

fn role(role: MemberRole) -> GroupEdit {
    GroupEdit { roles: vec![RoleGrant { member: "b0b0".into(), role }], ..GroupEdit::default() }
}

fn right(right: GroupRight, least: MemberRole) -> GroupEdit {
    GroupEdit { rights: vec![RightGrant { right, least }], ..GroupEdit::default() }
}

#[tokio::test]
async fn each_change_is_one_command() {
    let named = GroupEdit { name: Some("Walks".into()), ..GroupEdit::default() };
    let described = GroupEdit { description: Some(String::new()), ..GroupEdit::default() };
    let bare = GroupEdit { picture: Some(PictureChange::Remove), ..GroupEdit::default() };
    let cases: [(&[&str], GroupChange, &str); 12] = [
        (&["rename", "cl", "Walks"], named.into(), "group_renamed"),
        (&["describe", "cl", ""], described.into(), "group_described"),
        (&["avatar", "cl", "--remove"], bare.into(), "picture_removed"),
        (&["promote", "cl", "bob", "--admin"], role(MemberRole::Admin).into(), "role_changed"),
        (&["promote", "cl", "b0b0", "--owner"], role(MemberRole::Owner).into(), "role_changed"),
        (&["demote", "cl", "bob"], role(MemberRole::Member).into(), "role_changed"),
        (&["demote", "cl", "bob", "--admin"], role(MemberRole::Admin).into(), "role_changed"),
        (
            &["rights", "cl", "change-rights", "admin"],
            right(GroupRight::ChangeRights, MemberRole::Admin).into(),
            "right_changed",
        ),
        (
            &["rights", "cl", "pin", "member"],
            right(GroupRight::Pin, MemberRole::Member).into(),
            "right_changed",
        ),
        (
            &["announce", "cl", "on"],
            right(GroupRight::Write, MemberRole::Admin).into(),
            "right_changed",
        ),
        (
            &["announce", "cl", "off"],
            right(GroupRight::Write, MemberRole::Member).into(),
            "right_changed",
        ),
        (&["dissolve", "cl", "--yes"], GroupChange::Dissolve, "group_dissolved"),
    ];
    for (arguments, change, done) in cases {
        let bench = Bench::new();
        let objects = bench.objects(&[&["group"], arguments].concat()).await;
        assert_eq!(bench.asked(), [changed(change)], "{arguments:?}");
        assert_eq!((&objects[0]["done"], &objects[0]["chat"]), (&json!(done), &json!(3)));
        assert_eq!(objects[0]["state"], "settled");
    }
}

#[tokio::test]
async fn several_are_removed_by_one_change() {
    let bench = Bench::new();
    let mut carol = bench.world().state().members[1].clone();
    (carol.name, carol.fingerprint) = ("Carol".into(), "ca01".into());
    bench.world().state().members.push(carol);
    let done = bench.objects(&["group", "remove", "climbing", "bob", "carol", "b0b0"]).await;
    let gone: Vec<&Value> = done.iter().map(|one| &one["fingerprint"]).collect();
    assert_eq!(gone, ["b0b0", "ca01"]);
    let remove = vec!["b0b0".into(), "ca01".into()];
    assert_eq!(bench.asked(), [changed(GroupEdit { remove, ..GroupEdit::default() })]);
}

#[tokio::test]
async fn a_picture_is_set_from_a_file_and_saved_to_another() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("a.png"), b"\x89PNG").unwrap();
    bench.prints(&["group", "avatar", "climbing", &path("a.png")]).await;
    let picture = Some(PictureChange::Set(b"\x89PNG".to_vec()));
    assert_eq!(bench.asked(), [changed(GroupEdit { picture, ..GroupEdit::default() })]);
    let saved = bench.prints(&["group", "avatar", "climbing", "--save", &path("b.png")]).await;
    assert_eq!(saved, [format!("saved to {}", path("b.png"))]);
    assert_eq!(std::fs::read(path("b.png")).unwrap(), [7; 3_072]);
    // Nothing is replaced.
    let exit = bench.run(&["group", "avatar", "climbing", "--save", &path("a.png")]).await;
    assert_eq!(exit, 1);
    assert_eq!(bench.run(&["group", "avatar", "climbing", &path("none")]).await, 1);
    assert!(bench.console.notes().contains("what to do:"));
}

#[tokio::test]
async fn a_group_is_shown_with_all_that_is_agreed() {
    let bench = Bench::new();
    for command in ["show", "rights"] {
        let lines = bench.prints(&["group", command, "climbing"]).await;
        assert_eq!(
            lines[..5],
            [
                "name          Climbing",
                "about         on rocks",
                "              and ice",
                "picture       image/png, 3.0 KiB",
                "you are       owner",
            ]
        );
        assert_eq!(lines[5], "add           owners and admins");
        assert_eq!(lines[9], "change-rights owners and admins");
        assert_eq!(lines.len(), 5 + GroupRight::ALL.len());
    }
    let object = &bench.objects(&["group", "show", "3"]).await[0];
    assert_eq!(
        *object,
        json!({"type": "group", "chat": 3, "name": "Climbing", "description": "on rocks\nand ice",
            "picture_type": "image/png", "picture_size": 3072, "role": "owner",
            "rights": {"add": "admin", "remove": "admin", "describe": "admin",
                "change_roles": "admin", "change_rights": "admin", "mention_all": "admin",
                "pin": "admin", "invite": "admin", "write": "admin"}})
    );
}

#[tokio::test]
async fn messages_are_pinned_and_everybody_is_mentioned() {
    let bench = Bench::new();
    bench.prints(&["send", "climbing", "all of you", "--mention-all"]).await;
    let chat = ChatNumber(3);
    let mention = Command::MentionAll { chat, text: "all of you".into() };
    assert_eq!(bench.asked(), [mention]);
    for (command, pinned) in [("pin", Pinned::Yes), ("unpin", Pinned::No)] {
        let done = bench.objects(&[command, "climbing", "1"]).await;
        assert_eq!(done[0]["done"], format!("message_{command}ned"));
        assert_eq!((&done[0]["chat"], &done[0]["message"]), (&json!(3), &json!(1)));
        let set = Command::SetPinned { chat, message: MessageNumber(1), pinned };
        assert_eq!(bench.asked().last(), Some(&set));
    }
    let world = bench.world();
    {
        let mut state = world.state();
        (state.messages[0].pinned, state.messages[0].mentioned) = (Pinned::Yes, Mentioned::All);
        state.chats[2].pinned = vec![MessageNumber(1)];
    }
    let line = &bench.prints(&["read", "climbing"]).await[0];
    assert!(line.contains("[pinned] [to all] me: all of you"), "{line}");
    let message = &bench.objects(&["read", "climbing"]).await[0];
    assert_eq!((&message["pinned"], &message["mentioned"]), (&json!("yes"), &json!("all")));
    assert_eq!(bench.objects(&["chats"]).await[2]["pinned"], json!([1]));
    assert_eq!(bench.prints(&["group", "list"]).await, ["  3  Climbing  group  pinned: 1"]);
}

#[tokio::test]
async fn the_last_owner_is_told_to_make_another() {
    let bench = Bench::new();
    let (chat, reason) = (ChatNumber(3), FailureReason::LastOwner);
    bench.world().state().then = vec![Event::GroupChangeFailed { chat, reason }];
    assert_eq!(bench.run(&["group", "leave", "climbing"]).await, 1);
    assert!(bench.console.notes().contains("`hush group promote GROUP MEMBER --owner`"));
}

#[tokio::test]
async fn a_dissolved_group_says_so() {
    let bench = Bench::new();
    bench.world().state().chats[2].state = ChatState::Dissolved;
    assert_eq!(bench.prints(&["group", "list"]).await, ["  3  Climbing  group  dissolved"]);
    assert_eq!(
        bench.prints(&["group", "leave", "climbing"]).await,
        ["you are not in Climbing any more"]
    );
}

#[tokio::test]
async fn events_of_groups_say_who_did_what() {
    // spec: CLI-154
    let bench = Bench::new();
    let (chat, by) = (ChatNumber(3), String::from("b0b0"));
    let cases = [
        (
            Event::GroupChanged {
                chat,
                by: by.clone(),
                changed: vec![GroupPart::Name, GroupPart::Roles],
                members: vec!["ca01".into()],
            },
            json!({"event": "group_changed", "chat": 3, "by": "b0b0",
                "changed": ["name", "roles"], "members": ["ca01"]}),
        ),
        (
            Event::GroupDissolved { chat, by: by.clone() },
            json!({"event": "group_dissolved", "chat": 3, "by": "b0b0"}),
        ),
        (
            Event::MessagePinned { chat, message: MessageNumber(9), by: by.clone() },
            json!({"event": "message_pinned", "chat": 3, "message_number": 9, "by": "b0b0"}),
        ),
        (
            Event::EverybodyMentioned { chat, message: MessageNumber(9) },
            json!({"event": "everybody_mentioned", "chat": 3, "message_number": 9}),
        ),
    ];
    for (event, _) in &cases {
        bench.world().happen(event.clone());
    }
    let stop = async {
        while bench.console.printed().lines().count() < cases.len() {
            tokio::task::yield_now().await;
        }
        bench.interrupt_soon().await;
    };
    assert_eq!(tokio::join!(bench.run(&["follow", "--from", "1"]), stop).0, 0);
    for (line, (_, expected)) in bench.console.take_printed().iter().zip(cases) {
        let object: Value = serde_json::from_str(line).unwrap();
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(object[name], *value, "{line}");
        }
    }
}
