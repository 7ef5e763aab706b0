//! Carol is removed while she is away, comes back, and is shut out.

use super::{GROUP, Stage, Who};
use crate::demo::{
    fault::{Fault, expect},
    needle::About,
};

/// What is said once she is out.
const AFTER: [&str; 2] =
    ["Carol is out; the door code changes to 4711 tonight.", "Jó, akkor holnap hatkor nálam"];
/// What Carol writes while she is away and still believes that she is in.
const TOO_LATE: &str = "Чекайте, я ще маю що сказати вам усім";

impl Stage {
    pub(super) fn remove_carol(&mut self) -> Result<(), Fault> {
        self.screen.act("Carol is removed while she is offline");
        self.carol.go_offline()?;
        self.hide(About::Text, TOO_LATE);
        self.carol.ask(&["--no-network", "send", GROUP, TOO_LATE])?;
        self.screen.step("Carol is offline; she writes something, which waits on her device");
        self.alice.ask(&["--wait", "30", "group", "remove", GROUP, "Carol"])?;
        self.bob.sees("the removal", |event| event["event"] == "members_removed")?;
        self.screen.step("Alice removes Carol; Bob sees it");
        self.screen.headings();
        let [first, second] = AFTER;
        self.say(Who::Alice, GROUP, first, &[Who::Bob])?;
        self.say(Who::Bob, GROUP, second, &[Who::Alice])?;
        self.carol_returns()
    }

    fn carol_returns(&mut self) -> Result<(), Fault> {
        self.carol.go_online()?;
        self.carol.sees("that she is out", |event| event["event"] == "removed_from_chat")?;
        let chats = self.carol.ask(&["chats"])?;
        let group = chats.records.iter().find(|chat| chat["name"] == GROUP);
        expect(group.is_some_and(|chat| chat["state"] == "removed"), "Carol's chat says removed")?;
        self.screen.step("Carol comes back and is told that she was removed");

        let failed = self.carol.until("her message fails", &["read", GROUP], |said| {
            said.records.iter().any(|it| it["text"] == TOO_LATE && it["state"] == "failed")
        })?;
        let read = |text: &str| failed.records.iter().any(|message| message["text"] == text);
        expect(AFTER.iter().all(|text| !read(text)), "Carol cannot read what was said after")?;
        self.screen.step("she reads what was said before, and nothing of what was said after");

        let refused = self.carol.attempt(&["send", GROUP, "Noch jemand da draußen?"])?;
        let code = refused.error.as_ref().and_then(|error| error["code"].as_str());
        expect(refused.code != Some(0) && code.is_some(), "Carol cannot send")?;
        let late = [Who::Alice, Who::Bob].iter().any(|who| self.device(*who).has_seen(TOO_LATE));
        let texts = [self.group_texts(Who::Alice)?, self.group_texts(Who::Bob)?].concat();
        let late = late || texts.iter().any(|text| text == TOO_LATE);
        expect(!late, "nobody gets what Carol had waiting")?;
        self.screen.step(&format!(
            "what she had waiting failed, and a new message is refused ({})",
            code.unwrap_or_default()
        ));
        self.hide(About::Text, "Noch jemand da draußen?");
        Ok(())
    }
}
