//! Messages as an app makes them.

use super::{
    Content, Expiration, Extensions,
    control::ControlMessage,
    id::{MessageId, Salt},
    media_type::KnownMediaType,
    part::{Disposition, Part, PartSemantics},
    status::StatusReport,
};
use crate::attachment::Attachment;

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFormat {
    /// As it stands.
    Plain,
    /// GitHub Flavored Markdown without HTML, the draft's variant `GFM-MIMI`.
    Markdown,
}

impl TextFormat {
    const fn media_type(self) -> KnownMediaType {
        match self {
            Self::Plain => KnownMediaType::PlainText,
            Self::Markdown => KnownMediaType::Markdown,
        }
    }
}

impl Content {
    /// A message with this body and nothing else.
    pub const fn new(salt: Salt, body: Part) -> Self {
        Self {
            salt,
            replaces: None,
            topic: Vec::new(),
            expires: None,
            in_reply_to: None,
            extensions: Extensions::none(),
            body,
        }
    }

    /// A text.
    pub fn text(salt: Salt, format: TextFormat, text: &str) -> Self {
        let text = text.as_bytes().to_vec();
        Self::new(salt, Part::single(Disposition::RENDER, format.media_type(), text))
    }

    /// A file.
    pub fn attachment(salt: Salt, attachment: &Attachment) -> Self {
        Self::new(salt, attachment.to_part())
    }

    /// A file with a text beside it.
    pub fn captioned_attachment(
        salt: Salt,
        format: TextFormat,
        caption: &str,
        attachment: &Attachment,
    ) -> Self {
        let caption = caption.as_bytes().to_vec();
        let caption = Part::single(Disposition::RENDER, format.media_type(), caption);
        let parts = vec![caption, attachment.to_part()];
        Self::new(salt, Part::multi(PartSemantics::ProcessAll, parts))
    }

    /// A reaction, such as one emoji, to a message.
    pub fn reaction(salt: Salt, target: MessageId, reaction: &str) -> Self {
        let reaction = reaction.as_bytes().to_vec();
        let part = Part::single(Disposition::REACTION, KnownMediaType::PlainText, reaction);
        Self::new(salt, part).replying_to(target)
    }

    /// A deletion of a message, or of a reaction. `target` is its first version.
    pub const fn deletion(salt: Salt, target: MessageId) -> Self {
        let mut content = Self::new(salt, Part::null());
        content.replaces = Some(target);
        content
    }

    /// Receipts.
    pub fn status(salt: Salt, report: &StatusReport) -> Self {
        let part = Part::single(Disposition::UNSPECIFIED, KnownMediaType::Status, report.encode());
        Self::new(salt, part)
    }

    /// What clients tell each other.
    pub fn control(salt: Salt, message: &ControlMessage) -> Self {
        let part =
            Part::single(Disposition::UNSPECIFIED, KnownMediaType::Control, message.encode());
        Self::new(salt, part)
    }

    /// The same with everybody mentioned (spec: CNT-044).
    #[must_use]
    pub fn mentioning_all(mut self) -> Self {
        self.extensions = self.extensions.mentioning_all();
        self
    }

    /// The same as an answer to a message.
    #[must_use]
    pub const fn replying_to(mut self, target: MessageId) -> Self {
        self.in_reply_to = Some(target);
        self
    }

    /// The same as a new version of a message. `target` is its first version.
    #[must_use]
    pub const fn editing(mut self, target: MessageId) -> Self {
        self.replaces = Some(target);
        self
    }

    /// The same in a topic.
    #[must_use]
    pub fn in_topic(mut self, topic: Vec<u8>) -> Self {
        self.topic = topic;
        self
    }

    /// The same with an expiry.
    #[must_use]
    pub const fn expiring(mut self, expiration: Expiration) -> Self {
        self.expires = Some(expiration);
        self
    }
}
