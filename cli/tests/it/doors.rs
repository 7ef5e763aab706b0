//! Links of groups, and who asks to be let in by them.

use hushwire::{
    command::{
        ChatNumber, Command, FailureReason, GroupLinkNumber, GroupLinkTerms, LinkAdmission,
        RequestAnswer, RequestInfo, RequestNumber, RequestState, SecretText,
    },
    event::Event,
};
use serde_json::json;

use crate::fake::Bench;

const GROUP: ChatNumber = ChatNumber(3);

fn with_request() -> Bench {
    let bench = Bench::new();
    bench.world().state().requests.push(RequestInfo {
        chat: GROUP,
        number: RequestNumber(7),
        name: "Dave".into(),
        fingerprint: "dada".into(),
        link: Some(GroupLinkNumber(1)),
        asked_at_ms: 1_795_254_060_000,
        state: RequestState::Waiting,
    });
    bench
}

#[tokio::test]
async fn a_link_of_a_group_is_made_listed_and_revoked() {
    let bench = Bench::new();
    let made = bench
        .objects(&["group", "link", "cl", "--uses", "5", "--expires", "2h", "--approval"])
        .await;
    let terms = GroupLinkTerms {
        admission: LinkAdmission::Approval,
        uses: Some(5),
        expires_in_ms: Some(7_200_000),
    };
    assert_eq!(bench.asked(), [Command::GroupLinkMake { chat: GROUP, terms }]);
    assert_eq!(
        (&made[0]["type"], &made[0]["admission"]),
        (&json!("group_link"), &json!("approval"))
    );
    assert_eq!((&made[0]["uses"], &made[0]["state"]), (&json!(5), &json!("active")));
    let listed = bench.prints(&["group", "links", "cl"]).await;
    assert!(listed[0].contains("approval, for 5 requests  active"), "{listed:?}");
    let done = bench.objects(&["group", "unlink", "cl", "1"]).await;
    let revoked = Command::GroupLinkRevoke { chat: GROUP, link: GroupLinkNumber(1) };
    assert_eq!(bench.asked().last(), Some(&revoked));
    assert_eq!((&done[0]["done"], &done[0]["link"]), (&json!("group_link_revoked"), &json!(1)));
}

#[tokio::test]
async fn an_open_link_is_shown_with_its_code() {
    let bench = Bench::new();
    let shown = bench.prints(&["group", "link", "climbing"]).await;
    assert!(shown.len() > 30, "a QR code");
    assert!(shown.last().unwrap().contains("link 1, open, active"), "{shown:?}");
    assert!(shown.iter().all(|line| line.chars().count() <= 200));
}

#[tokio::test]
async fn who_asks_is_listed_and_answered() {
    for (word, answer, done) in [
        ("approve", RequestAnswer::Approve, "request_approved"),
        ("decline", RequestAnswer::Decline, "request_declined"),
    ] {
        let bench = with_request();
        let lines = bench.prints(&["group", "requests", "cl"]).await;
        assert!(lines[0].contains("Dave") && lines[0].contains("by link 1"), "{lines:?}");
        let said = bench.objects(&["group", word, "cl", "7"]).await;
        let request = RequestNumber(7);
        assert_eq!(bench.asked(), [Command::GroupAnswer { chat: GROUP, request, answer }]);
        assert_eq!(said[0]["done"], json!(done));
    }
    let bench = with_request();
    assert_eq!(bench.run(&["group", "approve", "cl", "8"]).await, 1);
    assert!(bench.asked().is_empty());
    let none = Bench::new();
    assert!(none.prints(&["group", "requests", "cl"]).await.is_empty());
}

#[tokio::test]
async fn joining_says_that_one_has_asked() {
    let bench = Bench::new();
    let chat = bench.objects(&["join", "hush:group"]).await;
    let link = SecretText::new("hush:group".into());
    assert_eq!(bench.asked(), [Command::GroupJoin { link }]);
    assert_eq!(chat[0]["state"], json!("asked"));
    let lines = bench.prints(&["chats"]).await;
    assert!(lines.iter().any(|line| line.contains("you have asked to be let in")), "{lines:?}");
}

#[tokio::test]
async fn why_somebody_is_not_let_in_is_said() {
    let bench = Bench::new();
    let reason = FailureReason::Declined;
    bench.world().state().then = vec![Event::JoinFailed { chat: GROUP, reason }];
    assert_ne!(bench.run(&["join", "hush:group"]).await, 0);
    let notes = bench.console.notes();
    assert!(notes.contains("the group did not let you in"), "{notes:?}");
    let bench = Bench::new();
    assert_ne!(bench.run(&["join", "hush:person"]).await, 0);
    let notes = bench.console.notes();
    assert!(notes.contains("hush add"), "{notes:?}");
}

#[tokio::test]
async fn a_group_is_formed_anew_and_an_admin_is_followed() {
    let bench = Bench::new();
    let made = bench.objects(&["group", "succeed", "cl", "--without", "bo", "--yes"]).await;
    assert_eq!((&made[0]["type"], &made[0]["admission"]), (&json!("group_link"), &json!("former")));
    let asked = bench.asked();
    assert!(
        matches!(asked.last(), Some(Command::GroupSucceed { chat: GROUP, without })
            if without.len() == 1),
        "{asked:?}"
    );
    assert_ne!(bench.run(&["group", "succeed", "cl"]).await, 0, "not without --yes");
    let done = bench.objects(&["group", "follow", "cl"]).await;
    let follow = Command::GroupFollow { chat: GROUP, by: None };
    assert_eq!(bench.asked().last(), Some(&follow));
    assert_eq!(done[0]["done"], "group_followed");
    // By who has formed it anew, whether that is a member or not.
    bench.objects(&["group", "follow", "cl", "--by", "gra"]).await;
    let follow = Command::GroupFollow { chat: GROUP, by: Some("9a".repeat(32)) };
    assert_eq!(bench.asked().last(), Some(&follow));
    assert_ne!(bench.run(&["group", "follow", "cl", "--by", "bo"]).await, 0);
    let notes = bench.console.notes();
    assert!(notes.contains("there is no successor \"bo\""), "{notes:?}");
    assert!(notes.contains("hush group successors"), "{notes:?}");
    let who = bench.objects(&["group", "successors", "cl"]).await;
    let expected = json!({"type": "successor", "fingerprint": "9a".repeat(32), "name": "Grace"});
    assert_eq!(who, [expected]);
    bench.world().state().successors.clear();
    assert_eq!(bench.prints(&["group", "successors", "cl"]).await, [""; 0]);
}
