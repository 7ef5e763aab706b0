//! Contact links that this identity gives out.

use hushwire_protocol::link::{ContactLink, LinkSecret, LinkTarget};
use hushwire_wire::{id::CapabilityId, transcript};

use crate::{
    capabilities::{self, Uses},
    command::{CommandError, LinkInfo, LinkNumber, LinkState, LinkUse, Reply, SecretText},
    event::Event,
    profile,
    record::{LinkRecord, SecretBytes, Wish, by_number, number_of},
    store::StoreError,
    wish::AtInbox,
    work::Work,
};

/// Makes a link, and the wish to make it known to the relay.
pub(crate) fn make(
    work: &mut Work<'_>,
    usage: LinkUse,
    expires_in_ms: Option<u64>,
) -> Result<Reply, CommandError> {
    let secret = LinkSecret::generate(work.rng);
    let number = work.count(|counters| &mut counters.link)?;
    let capability = secret.capability();
    let record = LinkRecord {
        secret: SecretBytes::new(secret.expose()),
        capability: transcript::capability_id(&capability),
        usage,
        expires_at_ms: expires_in_ms.map(|span| work.now.plus_ms(span).0),
        published: false,
        used: false,
        revoked: false,
    };
    work.tx.save(&by_number(number), &record)?;
    let secret = SecretBytes::new(capability.expose());
    let uses = match usage {
        LinkUse::Single => Uses::Single,
        LinkUse::Lasting => Uses::Lasting,
    };
    capabilities::make(work, secret, Some(number), uses)?;
    Ok(Reply::Link(info(work, LinkNumber(number), &record)?))
}

/// The links given out, in order.
pub(crate) fn list(work: &Work<'_>) -> Result<Vec<LinkInfo>, CommandError> {
    let rows = work.tx.list::<LinkRecord>(&[], usize::MAX)?;
    rows.iter()
        .map(|row| {
            let number = number_of(&row.key).map(LinkNumber).ok_or(StoreError::Damaged)?;
            info(work, number, &row.record)
        })
        .collect()
}

fn info(
    work: &Work<'_>,
    number: LinkNumber,
    record: &LinkRecord,
) -> Result<LinkInfo, CommandError> {
    let inbox = work.inbox()?.ok_or(CommandError::NoIdentity)?;
    let link = ContactLink {
        target: LinkTarget::Contact,
        relay: inbox.relay.parse().map_err(|_| CommandError::StoreDamaged)?,
        inbox: inbox.inbox,
        secret: secret(record)?,
        identity: profile::fingerprint(work)?,
    };
    let text = link.to_text().map_err(|_| CommandError::BadRelayAddress)?;
    let state = match record {
        LinkRecord { used: true, usage: LinkUse::Single, .. } => LinkState::Used,
        LinkRecord { revoked: true, .. } => LinkState::Revoked,
        LinkRecord { expires_at_ms: Some(end), .. } if *end <= work.now.0 => LinkState::Expired,
        LinkRecord { published: true, .. } => LinkState::Active,
        _ => LinkState::Pending,
    };
    let (text, usage) = (SecretText::new(text.to_string()), record.usage);
    Ok(LinkInfo { number, text, usage, state, expires_at_ms: record.expires_at_ms })
}

/// Puts the capabilities of the links that can be used anew: the devices are others now, and with
/// them how many invitations one use brings (spec: IDN-056).
pub(crate) fn put_again(work: &mut Work<'_>) -> Result<(), StoreError> {
    let mut waiting = AtInbox::waiting(work)?;
    for row in work.tx.list::<LinkRecord>(&[], usize::MAX)? {
        let spent = row.record.used && row.record.usage == LinkUse::Single;
        if row.record.revoked || spent {
            continue;
        }
        let number = number_of(&row.key).ok_or(StoreError::Damaged)?;
        let secret = SecretBytes::new(secret(&row.record)?.capability().expose());
        waiting.wish(work, Wish::PutCapability { secret, link: Some(number) })?;
    }
    Ok(())
}

/// Links that were revoked may be there again: they are made useless once more (spec: CLI-182).
pub(crate) fn revoke_again(work: &mut Work<'_>) -> Result<(), StoreError> {
    let mut waiting = AtInbox::waiting(work)?;
    for row in work.tx.list::<LinkRecord>(&[], usize::MAX)? {
        if row.record.revoked {
            let revoked = Wish::RevokeCapability { capability: row.record.capability };
            waiting.wish(work, revoked)?;
        }
    }
    Ok(())
}

/// The secret in a link.
pub(crate) fn secret(record: &LinkRecord) -> Result<LinkSecret, StoreError> {
    record.secret.array().map(LinkSecret::from_bytes).ok_or(StoreError::Damaged)
}

/// Makes a link useless.
pub(crate) fn revoke(work: &mut Work<'_>, link: LinkNumber) -> Result<Reply, CommandError> {
    let record: Option<LinkRecord> = work.tx.load(&by_number(link.0))?;
    let mut record = record.ok_or(CommandError::NoSuchLink)?;
    if !record.revoked {
        record.revoked = true;
        work.tx.save(&by_number(link.0), &record)?;
        capabilities::revoke(work, record.capability)?;
        work.event(Event::LinkChanged(link))?;
    }
    Ok(Reply::Done)
}

/// The relay knows the link now.
pub(crate) fn published(work: &mut Work<'_>, link: u64) -> Result<(), StoreError> {
    change(work, link, |record| record.published = true)
}

/// Somebody came by the link with this capability, if it is one of a link.
pub(crate) fn used(work: &mut Work<'_>, capability: &CapabilityId) -> Result<(), StoreError> {
    let rows = work.tx.list::<LinkRecord>(&[], usize::MAX)?;
    let row = rows.into_iter().find(|row| row.record.capability == *capability);
    let Some(number) = row.and_then(|row| number_of(&row.key)) else { return Ok(()) };
    change(work, number, |record| record.used = true)
}

fn change(
    work: &mut Work<'_>,
    link: u64,
    change: impl FnOnce(&mut LinkRecord),
) -> Result<(), StoreError> {
    let Some(mut record) = work.tx.load::<LinkRecord>(&by_number(link))? else { return Ok(()) };
    change(&mut record);
    work.tx.save(&by_number(link), &record)?;
    work.event(Event::LinkChanged(LinkNumber(link)))
}
