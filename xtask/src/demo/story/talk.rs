//! A direct chat and a group, in several languages.

use super::{GROUP, Stage, Who};
use crate::demo::{fault::Fault, needle::About};

impl Stage {
    pub(super) fn talk(&mut self) -> Result<(), Fault> {
        self.screen.act("They talk: a direct chat, then a group");
        self.screen.headings();
        let (alice, bob) = (Who::Alice, Who::Bob);
        self.say(
            alice,
            "Bob",
            "Bob, treffen wir uns am Samstag um acht am alten Hafen?",
            &[bob, Who::Phone],
        )?;
        self.say(bob, "Alice", "نعم، سأحضر الخرائط معي", &[alice, Who::Phone])?;
        self.say(Who::Phone, "Bob", "好的,我会带上热茶和相机。", &[bob, alice])?;
        self.make_group()?;
        self.say(
            bob,
            GROUP,
            "Did everyone finish chapter seven? 📖",
            &[alice, Who::Phone, Who::Carol],
        )?;
        self.say(Who::Carol, GROUP, "Ещё нет, дочитаю завтра утром", &[alice, Who::Phone, bob])?;
        self.say(alice, GROUP, "次の本は「雪国」にしましょうか。", &[Who::Phone, bob, Who::Carol])?;
        self.say(Who::Phone, GROUP, "मुझे यह विचार बहुत अच्छा लगा", &[alice, bob, Who::Carol])
    }

    fn make_group(&mut self) -> Result<(), Fault> {
        self.hide(About::Name, GROUP);
        self.alice.ask(&["--wait", "30", "group", "new", GROUP])?;
        self.alice.ask(&["--wait", "30", "group", "add", GROUP, "Bob", "Carol"])?;
        for who in [Who::Phone, Who::Bob, Who::Carol] {
            self.has_chat(who, GROUP)?;
        }
        let sight = self.watcher.look()?;
        let people = ["Alice made a group", "Bob, Carol and Alice's phone are in it"];
        self.screen.beside(&sight, &people.map(str::to_owned));
        Ok(())
    }
}
