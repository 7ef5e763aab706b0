//! Links of groups and requests to be let in, as flat objects.

use hushwire::command::{GroupLinkInfo, RequestInfo, SecretText};
use serde::Serialize;

use super::Showing;
use crate::{code::code_of, people::People};

/// A link of a group.
#[derive(Debug, Serialize)]
pub struct GroupLinkRecord {
    /// Which group.
    pub chat: u64,
    /// Its number on this device.
    pub link: u64,
    /// Whoever has it can ask to be let in.
    pub text: SecretText,
    /// open, approval or former.
    pub admission: String,
    /// How many requests it is good for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uses: Option<u64>,
    /// pending, active, revoked or expired.
    pub state: String,
    /// When it stops working by itself, by this device's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<u64>,
    /// Who made it, a fingerprint in hex.
    pub maker: String,
    /// Whether the person is about to pass it on.
    #[serde(skip)]
    pub showing: Showing,
}

impl GroupLinkRecord {
    /// A link as the library tells it.
    pub fn new(link: GroupLinkInfo, showing: Showing) -> Self {
        Self {
            chat: link.chat.0,
            link: link.number.0,
            text: link.text,
            admission: code_of(&link.admission),
            uses: link.uses,
            state: code_of(&link.state),
            expires_at_ms: link.expires_at_ms,
            maker: link.maker,
            showing,
        }
    }
}

/// Somebody asks to be let into a group.
#[derive(Debug, Serialize)]
pub struct RequestRecord {
    /// Which group.
    pub chat: u64,
    /// Its number on this device.
    pub request: u64,
    /// What they call themselves.
    pub name: String,
    /// What they are called on the screen, safe to show.
    #[serde(skip)]
    pub label: String,
    /// Who they are, in hex.
    pub fingerprint: String,
    /// By which link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<u64>,
    /// When it reached the relay.
    pub asked_at_ms: u64,
    /// waiting or admitting.
    pub state: String,
}

impl RequestRecord {
    /// A request as the library tells it.
    pub fn new(request: RequestInfo, people: &People) -> Self {
        Self {
            chat: request.chat.0,
            request: request.number.0,
            label: people.label(&request.name, &request.fingerprint),
            name: request.name,
            fingerprint: request.fingerprint,
            link: request.link.map(|link| link.0),
            asked_at_ms: request.asked_at_ms,
            state: code_of(&request.state),
        }
    }
}
