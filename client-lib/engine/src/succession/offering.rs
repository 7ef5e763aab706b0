//! How the members of a group hear where it goes on: by a message in its log, and by a note where no
//! message can be stored any more (spec: CLI-202).

use hushwire_protocol::{
    content::{ControlEntry, ControlKind},
    group::{fits_note, seal_offer},
    succession::SuccessorOffer,
};
use hushwire_wire::{
    id::{CapabilityId, ChannelId},
    message::{Content, Request},
    transcript::{self, Operation},
};

use super::word::{load, save};
use crate::{
    command::{ChatNumber, CommandError, GroupLinkTerms, LinkAdmission},
    control,
    door::{
        self,
        links::{EndedBy, Made},
    },
    groups, log, outbox, profile,
    record::{GroupState, SecretBytes, Wish, WishNumber},
    store::StoreError,
    wish::{self, Ask, Desk, Progress, Step, Target},
    work::Work,
};

/// How often it is looked whether the message got through, in milliseconds.
const LOOK_MS: u64 = 5_000;

/// Offers the new group to those who read the one before, once the relay knows its link; where this
/// device is stuck it can say nothing.
pub(super) fn begin(
    work: &mut Work<'_>,
    before: &ChannelId,
    channel: ChannelId,
) -> Result<(), StoreError> {
    let group = groups::record(work, before)?;
    if group.is_none_or(|group| group.state == GroupState::Stuck) {
        return Ok(());
    }
    let wish = Wish::OfferSuccessor { before: *before, channel, said: None, noted: None };
    work.wish(wish).map(|_| ())
}

/// Whether an offer can be said in the group before: where members contest, a message is stored only
/// when one of them is through, so that it has to fit a note (spec: GRP-151).
pub(super) fn can_be_said(
    work: &Work<'_>,
    before: &ChannelId,
    offer: &SuccessorOffer,
) -> Result<bool, StoreError> {
    let Some(group) = groups::record(work, before)? else { return Ok(true) };
    if fits_note(offer) || group.state == GroupState::Stuck {
        return Ok(true);
    }
    let (epoch, _) = log::epoch_state(work, before, &group.epoch)?;
    Ok(epoch.candidates.is_empty())
}

/// The link by which members come in is known to the relay: what waits for that goes on.
pub(crate) fn link_is_there(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let Some(successor) = log::load_group(work, channel)?.state().before.clone() else {
        return Ok(());
    };
    for row in wish::of_channel(work, &successor.before)? {
        if matches!(row.wish, Wish::OfferSuccessor { .. }) {
            work.effects.wished.push(row.number);
        }
    }
    Ok(())
}

/// Says it, and notes it in an epoch where members contest: a message is stored there only when one of
/// them is through.
pub(crate) fn offer(
    work: &mut Work<'_>,
    number: WishNumber,
    desk: &Desk,
    wish: Wish,
) -> Result<Step, StoreError> {
    let Wish::OfferSuccessor { before, channel, said, noted } = wish else { return Ok(Step::Aim) };
    let record = load(work, &before)?.filter(|record| record.channel == channel);
    let (Some(view), Some(offer)) =
        (desk.channel, record.map(|it| it.offer()).transpose()?.flatten())
    else {
        work.settle(number);
        return Ok(Step::Settled);
    };
    let Some(said) = said else {
        let said = say(work, &before, &offer.to_bytes())?;
        work.update_wish(number, Wish::OfferSuccessor { before, channel, said, noted })?;
        return Ok(match said {
            Some(_) => Step::Later(work.now),
            None => Step::Aim,
        });
    };
    if wish::load(work, said)?.is_none() {
        work.settle(number);
        return Ok(Step::Settled);
    }
    let (epoch, keys) = log::epoch_state(work, &before, &view.epoch)?;
    if epoch.candidates.is_empty()
        || noted.is_some_and(|noted| *noted == *view.epoch.as_bytes())
        // One that leaves out many has to wait for the message (spec: GRP-151).
        || !fits_note(&offer)
    {
        return Ok(Step::Others { until: work.now.plus_ms(LOOK_MS) });
    }
    let provider = work.provider();
    let envelope =
        seal_offer(&provider, &before, &view.epoch, &keys, &offer).map_err(log::store_error)?;
    let content = Content::Inline(envelope.into());
    let operation = Operation::Note;
    Ok(Step::Ask(Ask::Request(Request::Append { handle: view.handle, content, operation })))
}

fn say(
    work: &mut Work<'_>,
    before: &ChannelId,
    offer: &[u8],
) -> Result<Option<WishNumber>, StoreError> {
    let entry = ControlEntry { kind: ControlKind::Successor, payload: offer.to_vec() };
    control::send_one(work, before, vec![entry])
}

/// The link of the word by which this device offers a group; none: it offers none there.
fn link_of(
    work: &Work<'_>,
    before: &ChannelId,
    channel: &ChannelId,
) -> Result<Option<CapabilityId>, StoreError> {
    let record = load(work, before)?.filter(|record| record.channel == *channel);
    let offer = record.map(|record| record.offer()).transpose()?.flatten();
    Ok(offer.map(|offer| transcript::capability_id(&offer.secret.capability())))
}

/// What an offer needs: the channel of the group before, once members can come in.
pub(crate) fn offer_target(
    work: &Work<'_>,
    before: &ChannelId,
    channel: &ChannelId,
) -> Result<Target, StoreError> {
    if let Some(link) = link_of(work, before, channel)?
        && !door::links::is_open(work, channel, &link)?
    {
        return Ok(Target::Nothing);
    }
    groups::channel_target(work, before)
}

/// The link by which members of a group come into the one that takes its place.
pub(super) fn make_link(
    work: &mut Work<'_>,
    chat: ChatNumber,
    channel: &ChannelId,
) -> Result<Made, CommandError> {
    let terms =
        GroupLinkTerms { admission: LinkAdmission::Former, uses: None, expires_in_ms: None };
    door::links::make_in(work, chat, channel, terms)
}

/// A link is over: a group that would be offered by it is offered no more, if the person who formed that
/// has revoked it; and by another one, if somebody else did (spec: CLI-202).
pub(crate) fn link_over(
    work: &mut Work<'_>,
    channel: &ChannelId,
    link: &CapabilityId,
    by: EndedBy,
) -> Result<(), StoreError> {
    for number in wish::offers_of(work, channel)? {
        let Some(Wish::OfferSuccessor { before, said, .. }) = wish::load(work, number)? else {
            continue;
        };
        if link_of(work, &before, channel)?.as_ref() != Some(link) {
            continue;
        }
        let sealed = said.map(|said| outbox::is_sealed(work, said)).transpose()? == Some(true);
        if let Some(said) = said.filter(|_| !sealed) {
            work.settle(said);
        }
        if by == EndedBy::Others && !sealed && offer_by_another(work, &before, channel)? {
            let wish = Wish::OfferSuccessor { before, channel: *channel, said: None, noted: None };
            work.update_wish(number, wish)?;
        } else {
            work.settle(number);
        }
    }
    Ok(())
}

/// Makes another link for what this device offers, and says whether there is one.
fn offer_by_another(
    work: &mut Work<'_>,
    before: &ChannelId,
    channel: &ChannelId,
) -> Result<bool, StoreError> {
    let chat = groups::record(work, channel)?.and_then(|group| group.purpose.chat());
    let (Some(mut record), Some(chat)) = (load(work, before)?, chat) else { return Ok(false) };
    let Some(offer) = record.offer()? else { return Ok(false) };
    let device = profile::device(work)?;
    // Without the right to it, or with no room for it, there is none.
    let Ok(made) = make_link(work, chat, channel) else { return Ok(false) };
    let offer = SuccessorOffer::sign(offer.successor, &made.link, &device.key);
    record.offer = Some(SecretBytes::new(&offer.to_bytes()));
    save(work, before, &record)?;
    Ok(true)
}

/// Whoever has left a group, or formed it anew again, offers it to nobody any more.
pub(super) fn end(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    for number in wish::offers_of(work, channel)? {
        work.settle(number);
    }
    Ok(())
}

/// The relay has the note, or takes none in this epoch: then the message has to do.
pub(crate) fn offered(
    work: &Work<'_>,
    number: WishNumber,
    desk: &Desk,
    wish: Wish,
) -> Result<Progress, StoreError> {
    let Wish::OfferSuccessor { before, channel, said, .. } = wish else {
        return Ok(Progress::Next);
    };
    let noted = desk.channel.map(|view| serde_bytes::ByteArray::new(*view.epoch.as_bytes()));
    work.update_wish(number, Wish::OfferSuccessor { before, channel, said, noted })?;
    Ok(Progress::Next)
}

/// Whoever this device adds to a former group has not read where it goes on: it is said again
/// (spec: CLI-203).
pub(crate) fn tell_again(work: &mut Work<'_>, before: &ChannelId) -> Result<(), StoreError> {
    let Some(offer) = load(work, before)?.and_then(|record| record.offer) else { return Ok(()) };
    say(work, before, offer.expose()).map(|_| ())
}
