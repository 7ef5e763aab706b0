//! Messages as an app shows them: what a message does, and the parts that are to be shown.

use super::{
    Content, TextFormat,
    control::ControlMessage,
    id::MessageId,
    media_type::KnownMediaType,
    part::{Disposition, ExternalPart, MultiPart, Part, PartBody, PartSemantics, SinglePart},
    status::StatusReport,
};
use crate::attachment::Attachment;

/// What a message does (spec: CNT-024). Whether its sender may is for the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Says something.
    Post,
    /// Answers a message.
    Reply(MessageId),
    /// Reacts to a message.
    React(MessageId),
    /// Takes the place of a message, named by its first version.
    Edit(MessageId),
    /// Deletes a message, named by its first version.
    Delete(MessageId),
}

/// The place of a part in its message: depth first, the body is 0 (the draft's part index).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartIndex(pub u16);

/// A part that is to be shown.
#[derive(Debug, PartialEq, Eq)]
pub struct Shown<'a> {
    /// Its place.
    pub index: PartIndex,
    /// What it is meant for.
    pub disposition: Disposition,
    /// Its language tags, empty if unknown.
    pub language: &'a str,
    /// What it is.
    pub piece: Piece<'a>,
}

/// What a part is to this version.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Piece<'a> {
    /// A text.
    Text {
        /// How it is written.
        format: TextFormat,
        /// The text.
        text: &'a str,
    },
    /// A file of ours.
    Attachment(Box<Attachment>),
    /// Receipts; not for people's eyes.
    Status(StatusReport),
    /// Control entries; not for people's eyes.
    Control(ControlMessage),
    /// Not supported by this version: kept, and shown as such (spec: CNT-018).
    Unsupported(&'a Part),
}

impl Content {
    /// What this message does.
    pub fn action(&self) -> Action {
        match (self.replaces, self.in_reply_to) {
            (Some(target), _) if self.body.body == PartBody::Null => Action::Delete(target),
            (Some(target), _) => Action::Edit(target),
            (None, Some(target)) if self.body.disposition == Disposition::REACTION => {
                Action::React(target)
            }
            (None, Some(target)) => Action::Reply(target),
            (None, None) => Action::Post,
        }
    }

    /// The parts to show, in order. Of a choice that is the first that this version supports; a unit
    /// of which one part is unsupported is so as a whole (spec: CNT-025).
    pub fn shown(&self) -> Vec<Shown<'_>> {
        let mut shown = Vec::new();
        self.body.show(&mut PartIndex(0), &mut shown);
        shown
    }
}

impl Part {
    /// Parts in this one, itself counted.
    fn count(&self) -> u16 {
        match &self.body {
            PartBody::Multi(multi) => {
                multi.parts.iter().map(Self::count).fold(1, u16::saturating_add)
            }
            _ => 1,
        }
    }

    fn shown_as<'a>(&'a self, index: PartIndex, piece: Piece<'a>) -> Shown<'a> {
        Shown { index, disposition: self.disposition, language: &self.language, piece }
    }

    /// Adds what is to be shown of this part, and moves `next` past it.
    fn show<'a>(&'a self, next: &mut PartIndex, shown: &mut Vec<Shown<'a>>) {
        let index = *next;
        next.0 = next.0.saturating_add(1);
        match &self.body {
            PartBody::Null => {}
            PartBody::Single(single) => shown.push(self.shown_as(index, single.piece(self))),
            PartBody::External(external) => shown.push(self.shown_as(index, external.piece(self))),
            PartBody::Multi(multi) => {
                let first = shown.len();
                let supported = multi.show(next, shown);
                if supported == Support::None {
                    shown.truncate(first);
                    shown.push(self.shown_as(index, Piece::Unsupported(self)));
                }
            }
        }
        next.0 = index.0.saturating_add(self.count());
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Support {
    Some,
    None,
}

impl MultiPart {
    fn show<'a>(&'a self, next: &mut PartIndex, shown: &mut Vec<Shown<'a>>) -> Support {
        match self.semantics {
            PartSemantics::ProcessAll => {
                self.parts.iter().for_each(|part| part.show(next, shown));
                Support::Some
            }
            PartSemantics::SingleUnit => {
                let first = shown.len();
                self.parts.iter().for_each(|part| part.show(next, shown));
                support(shown.get(first..).unwrap_or_default())
            }
            PartSemantics::ChooseOne => {
                for part in &self.parts {
                    let mut choice = Vec::new();
                    part.show(next, &mut choice);
                    if support(&choice) == Support::Some {
                        shown.append(&mut choice);
                        return Support::Some;
                    }
                }
                Support::None
            }
        }
    }
}

fn support(shown: &[Shown<'_>]) -> Support {
    let lacks = shown.iter().any(|shown| matches!(shown.piece, Piece::Unsupported(_)));
    if lacks { Support::None } else { Support::Some }
}

impl SinglePart {
    fn piece<'a>(&'a self, part: &'a Part) -> Piece<'a> {
        let known = match self.media_type.known() {
            Some(KnownMediaType::PlainText) => self.text(TextFormat::Plain),
            Some(KnownMediaType::Markdown) => self.text(TextFormat::Markdown),
            Some(KnownMediaType::Status) => {
                StatusReport::decode(&self.content).ok().map(Piece::Status)
            }
            Some(KnownMediaType::Control) => {
                ControlMessage::decode(&self.content).ok().map(Piece::Control)
            }
            None => None,
        };
        known.unwrap_or(Piece::Unsupported(part))
    }

    fn text(&self, format: TextFormat) -> Option<Piece<'_>> {
        let text = core::str::from_utf8(&self.content).ok()?;
        Some(Piece::Text { format, text })
    }
}

impl ExternalPart {
    fn piece<'a>(&self, part: &'a Part) -> Piece<'a> {
        match Attachment::from_external(self) {
            Ok(attachment) if Attachment::is_ours(self) => Piece::Attachment(Box::new(attachment)),
            _ => Piece::Unsupported(part),
        }
    }
}
