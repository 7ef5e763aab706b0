//! Contacts: people whose inbox this identity can write to, and how they become that.

use std::collections::BTreeSet;

use hushwire_protocol::{
    card::{Card, CardError},
    identity::{CLOCK_SKEW_MS, DeviceListRank, DeviceListVersion, Fingerprint, ManagerCounter},
    invitation::ContactCard,
    link::{ContactLink, LinkTarget, text::LinkError},
    safety_number::SafetyNumber,
};
use hushwire_wire::{id::ChannelId, message::Answer, transcript};

use crate::{
    additions, capabilities, chats,
    command::{
        ChatKind, ChatNumber, ChatState, CommandError, ContactInfo, ContactNumber, FailureReason,
        Reply, SecretText, Verification,
    },
    devices, direct,
    event::Event,
    packages::{self, Gathered, Route},
    profile,
    record::{ContactRecord, Packages, SecretBytes, Wish, WishNumber},
    store::StoreError,
    wish::{self, Desk, Progress, Step, Target},
    work::Work,
};

/// Digits of a fingerprint that stand for a person without a name.
const NAMELESS_DIGITS: usize = 8;

/// Begins a direct chat with the person behind a link.
pub(crate) fn add(work: &mut Work<'_>, text: &SecretText) -> Result<Reply, CommandError> {
    let link = parse(text)?;
    if link.identity == profile::fingerprint(work)? {
        return Err(CommandError::OwnLink);
    }
    let contact = ensure(work, &link.identity, None)?;
    seek(work, &link.identity)?;
    let (chat, channel) = match load(work, &link.identity)?.and_then(|contact| contact.chat) {
        Some(chat) if is_under_way(work, chat, &link)? => {
            let record = chats::named(work, chat)?;
            return Ok(Reply::Chat(chats::info(work, chat, &record)?));
        }
        Some(chat) => (chat, direct::begin_anew(work, chat)?),
        None => {
            let channel = ChannelId::from_bytes(work.random());
            let name = name_of(work, &link.identity)?;
            let (kind, state) = (ChatKind::Direct, ChatState::Opening);
            let chat = chats::add(work, name, kind, state, Some(channel), Some(contact))?;
            set_chat(work, &link.identity, chat)?;
            (chat, channel)
        }
    };
    direct::form(work, channel, chat, contact)?;
    let link = SecretBytes::new(text.expose().trim().as_bytes());
    let packages = Packages::default();
    work.wish(Wish::ReachContact { link, chat, channel: Some(channel), packages, card: None })?;
    let record = chats::named(work, chat)?;
    Ok(Reply::Chat(chats::info(work, chat, &record)?))
}

/// Notes that this person is sought, not only let in.
fn seek(work: &Work<'_>, person: &Fingerprint) -> Result<(), StoreError> {
    let Some(mut record) = load(work, person)? else { return Ok(()) };
    record.sought = true;
    save(work, person, &record)
}

/// Whether a chat is about to open by this very link: it is used once only, however often it is given.
fn is_under_way(
    work: &Work<'_>,
    chat: ChatNumber,
    link: &ContactLink,
) -> Result<bool, CommandError> {
    if chats::named(work, chat)?.state != ChatState::Opening {
        return Ok(false);
    }
    for number in wish::reaching(work, chat)? {
        if let Some(Wish::ReachContact { link: waiting, .. }) = wish::load(work, number)? {
            return Ok(stored_link(&waiting)?.secret == link.secret);
        }
    }
    // It was reached by the link's capability, and its devices are being invited.
    let card = card(work, &link.identity)?;
    Ok(card.is_some_and(|card| card.capability == link.secret.capability()))
}

/// Reads the text of a contact link.
pub(crate) fn parse(text: &SecretText) -> Result<ContactLink, CommandError> {
    let link = ContactLink::parse(text.expose()).map_err(|error| match error {
        LinkError::OtherKind => CommandError::LinkingCode,
        LinkError::Foreign | LinkError::UnknownKind => CommandError::NotALink,
        LinkError::UnknownVersion => CommandError::LinkTooNew,
        _ => CommandError::LinkTruncated,
    })?;
    if link.target == LinkTarget::Contact { Ok(link) } else { Err(CommandError::GroupLink) }
}

pub(crate) fn load(
    work: &Work<'_>,
    person: &Fingerprint,
) -> Result<Option<ContactRecord>, StoreError> {
    work.tx.load(person.as_bytes())
}

pub(crate) fn save(
    work: &Work<'_>,
    person: &Fingerprint,
    record: &ContactRecord,
) -> Result<(), StoreError> {
    work.tx.save(person.as_bytes(), record)
}

/// The contact, made if it is not there yet, with this card if one is given.
pub(crate) fn ensure(
    work: &mut Work<'_>,
    person: &Fingerprint,
    card: Option<&ContactCard>,
) -> Result<ContactNumber, StoreError> {
    // spec: IDN-082
    let beyond =
        |card: &&ContactCard| card.device_list_minimum.version.is_beyond(work.now, CLOCK_SKEW_MS);
    let card = card.filter(|card| !beyond(card));
    work.effects.held_clearer |= card.is_some();
    let Some(mut record) = load(work, person)? else {
        let number = work.count(|counters| &mut counters.contact)?;
        let record = ContactRecord {
            number,
            name: card.map_or_else(|| nameless(person), |card| card.name.as_str().to_owned()),
            verification: Verification::Unverified,
            chat: None,
            card: card.map(|card| SecretBytes::new(&card.to_bytes())),
            sought: false,
            given: None,
            device_list_version: 0,
            device_list_counter: 0,
        };
        save(work, person, &record)?;
        work.event(Event::ContactAdded(ContactNumber(number)))?;
        return Ok(ContactNumber(number));
    };
    let number = ContactNumber(record.number);
    let card = card.map(|card| successor(&record, card)).transpose()?.flatten();
    if let Some(card) = card {
        record.name = card.name.as_str().to_owned();
        record.card = Some(SecretBytes::new(&card.to_bytes()));
        save(work, person, &record)?;
        if let Some(chat) = record.chat {
            rename_chat(work, chat, &record.name)?;
        }
        work.event(Event::ContactChanged(number))?;
        // Who waits to be added can be reached by the new card.
        for row in wish::of_person(work, person)? {
            work.effects.wished.push(row);
        }
    }
    Ok(number)
}

/// The card to keep from now on; none: this one is behind the card that is known, and nothing of it
/// counts. A device that has not heard of a revocation yet sends such a card, and so does one that
/// was revoked (spec: LNK-060).
fn successor(
    record: &ContactRecord,
    card: &ContactCard,
) -> Result<Option<ContactCard>, StoreError> {
    let rank = |card: &ContactCard| (card.statement.counter(), card.device_list_minimum);
    let mut card = stored_card(&card.to_bytes())?;
    let Some(known) = &record.card else { return Ok(Some(card)) };
    let known = stored_card(known.expose())?;
    if rank(&card) < rank(&known) {
        return Ok(None);
    }
    card.device_list_minimum = card.device_list_minimum.max(known.device_list_minimum);
    Ok(Some(card))
}

/// A card that was taken before, whatever characters its name has (spec: CLI-134).
fn stored_card(bytes: &[u8]) -> Result<ContactCard, StoreError> {
    ContactCard::decode_stored(bytes).map_err(|_| StoreError::Damaged)
}

fn rename_chat(work: &mut Work<'_>, chat: ChatNumber, name: &str) -> Result<(), StoreError> {
    let Some(mut record) = chats::load(work, chat)? else { return Ok(()) };
    if record.name != name {
        name.clone_into(&mut record.name);
        chats::save(work, chat, &record)?;
        work.event(Event::ChatChanged(chat))?;
    }
    Ok(())
}

/// Notes which chat is the direct one of a contact.
pub(crate) fn set_chat(
    work: &Work<'_>,
    person: &Fingerprint,
    chat: ChatNumber,
) -> Result<(), StoreError> {
    let Some(mut record) = load(work, person)? else { return Ok(()) };
    record.chat = Some(chat);
    save(work, person, &record)
}

fn nameless(person: &Fingerprint) -> String {
    person.to_hex().chars().take(NAMELESS_DIGITS).collect()
}

/// What a person is called here.
pub(crate) fn name_of(work: &Work<'_>, person: &Fingerprint) -> Result<String, StoreError> {
    if let Some(record) = load(work, person)? {
        return Ok(record.name);
    }
    let own = work.identity()?.filter(|identity| identity.fingerprint() == *person);
    Ok(own.map_or_else(|| nameless(person), |identity| identity.name))
}

/// How to write to a contact's inbox, as far as it is known.
pub(crate) fn card(
    work: &Work<'_>,
    person: &Fingerprint,
) -> Result<Option<ContactCard>, StoreError> {
    let card = load(work, person)?.and_then(|record| record.card);
    card.map(|card| stored_card(card.expose())).transpose()
}

/// Contacts get capabilities of their own anew with the next card; those they have still work for a
/// while (spec: IDN-062).
pub(crate) fn renew_given(work: &Work<'_>) -> Result<(), StoreError> {
    for mut row in work.tx.list::<ContactRecord>(&[], usize::MAX)? {
        let Some(given) = row.record.given.take() else { continue };
        capabilities::retire(work, &capabilities::id_of(&given)?)?;
        work.tx.save(&row.key, &row.record)?;
    }
    Ok(())
}

/// The newest device list of a person that was seen (spec: IDN-033).
pub(crate) fn seen_list(
    work: &Work<'_>,
    person: &Fingerprint,
) -> Result<DeviceListRank, StoreError> {
    Ok(load(work, person)?.map_or_else(DeviceListRank::default, |record| DeviceListRank {
        manager_counter: ManagerCounter(record.device_list_counter),
        version: DeviceListVersion(record.device_list_version),
    }))
}

/// Notes that a device list of a person was seen.
pub(crate) fn note_list(
    work: &Work<'_>,
    person: &Fingerprint,
    rank: DeviceListRank,
) -> Result<(), StoreError> {
    let Some(mut record) = load(work, person)? else { return Ok(()) };
    record.device_list_counter = rank.manager_counter.0;
    record.device_list_version = rank.version.0;
    save(work, person, &record)
}

/// Whether a person is a contact: this identity has their card, from their link, from their
/// invitation to a direct chat, or from another of its own devices (spec: LNK-047).
pub(crate) fn is_contact(work: &Work<'_>, person: &Fingerprint) -> Result<bool, StoreError> {
    Ok(load(work, person)?.is_some_and(|record| record.card.is_some()))
}

/// The contacts, in the order in which they came.
pub(crate) fn list(work: &Work<'_>) -> Result<Vec<ContactInfo>, StoreError> {
    let rows = work.tx.list::<ContactRecord>(&[], usize::MAX)?;
    let mut contacts = rows
        .into_iter()
        .map(|row| {
            let person = Fingerprint::try_from(&row.key[..]).map_err(|_| StoreError::Damaged)?;
            Ok(ContactInfo {
                number: ContactNumber(row.record.number),
                name: row.record.name,
                fingerprint: person.to_hex(),
                verification: row.record.verification,
                chat: row.record.chat,
            })
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    contacts.sort_by_key(|contact| contact.number);
    Ok(contacts)
}

/// The person with this number.
pub(crate) fn by_contact(
    work: &Work<'_>,
    contact: ContactNumber,
) -> Result<Fingerprint, CommandError> {
    of_number(work, contact)?.ok_or(CommandError::NoSuchContact)
}

/// The people with these numbers, each once, by one look at all contacts.
pub(crate) fn by_contacts(
    work: &Work<'_>,
    contacts: &[ContactNumber],
) -> Result<BTreeSet<Fingerprint>, CommandError> {
    let mut wanted: BTreeSet<u64> = contacts.iter().map(|contact| contact.0).collect();
    let mut people = BTreeSet::new();
    for row in work.tx.list::<ContactRecord>(&[], usize::MAX)? {
        if wanted.remove(&row.record.number) {
            people.insert(Fingerprint::try_from(&row.key[..]).map_err(|_| StoreError::Damaged)?);
        }
    }
    if wanted.is_empty() { Ok(people) } else { Err(CommandError::NoSuchContact) }
}

/// Whose number this is.
pub(crate) fn of_number(
    work: &Work<'_>,
    contact: ContactNumber,
) -> Result<Option<Fingerprint>, StoreError> {
    let rows = work.tx.list::<ContactRecord>(&[], usize::MAX)?;
    let row = rows.iter().find(|row| row.record.number == contact.0);
    row.map(|row| Fingerprint::try_from(&row.key[..]).map_err(|_| StoreError::Damaged)).transpose()
}

/// The number that two people compare.
pub(crate) fn safety_number(
    work: &Work<'_>,
    contact: ContactNumber,
) -> Result<Reply, CommandError> {
    let person = by_contact(work, contact)?;
    let me = profile::fingerprint(work)?;
    let record = load(work, &person)?.ok_or(CommandError::NoSuchContact)?;
    let digits = SafetyNumber::between(me, person).digits();
    Ok(Reply::SafetyNumber { digits, verification: record.verification })
}

/// Notes the outcome of a comparison.
pub(crate) fn set_verification(
    work: &mut Work<'_>,
    contact: ContactNumber,
    verification: Verification,
) -> Result<Reply, CommandError> {
    let person = by_contact(work, contact)?;
    let mut record = load(work, &person)?.ok_or(CommandError::NoSuchContact)?;
    record.verification = verification;
    save(work, &person, &record)?;
    work.event(Event::ContactChanged(contact))?;
    devices::tell_verification(work, &person, verification)?;
    Ok(Reply::Done)
}

// --- reaching the person behind a link ------------------------------------------------------

fn stored_link(link: &SecretBytes) -> Result<ContactLink, StoreError> {
    let text = core::str::from_utf8(link.expose()).map_err(|_| StoreError::Damaged)?;
    ContactLink::parse(text).map_err(|_| StoreError::Damaged)
}

pub(crate) fn link_target(link: &SecretBytes) -> Result<Target, StoreError> {
    Ok(Target::Relay(stored_link(link)?.relay))
}

/// The next step towards the person behind a link: card, key packages, then the wish to add.
pub(crate) fn reach(
    work: &mut Work<'_>,
    number: WishNumber,
    _desk: &Desk,
    wish: Wish,
) -> Result<Step, StoreError> {
    let Wish::ReachContact { link, chat, channel, packages, card } = wish else {
        return Ok(Step::Aim);
    };
    let link = stored_link(&link)?;
    let capability = link.secret.capability();
    if card.is_none() {
        return Ok(packages::fetch_card(link.inbox, capability));
    }
    if let Some(step) = packages::take_next(link.inbox, capability, &packages) {
        return Ok(step);
    }
    let channel = attempt(work, chat, channel)?.ok_or(StoreError::Damaged)?;
    work.settle(number);
    additions::wish(work, Wish::AddPerson { channel, person: link.identity, packages })?;
    Ok(Step::Settled)
}

/// Takes the card or a key package of the person behind a link.
pub(crate) fn reached(
    work: &mut Work<'_>,
    number: WishNumber,
    desk: &Desk,
    wish: Wish,
    answer: Answer,
) -> Result<Progress, StoreError> {
    let Wish::ReachContact { link, chat, channel, mut packages, card } = wish else {
        return Ok(Progress::Next);
    };
    let parsed = stored_link(&link)?;
    let opened = match (&card, &answer) {
        (Some(card), _) => Ok(stored_card(card.expose())?),
        (None, Answer::Card { card: sealed, .. }) => open_card(&parsed, sealed),
        (None, _) => Err(CardFault::NotProven),
    };
    let contact_card = match opened {
        Ok(card) => card,
        // The relay bent it, or gave another one: it was not written with this link (spec: IDN-060).
        Err(CardFault::NotOpened) if packages.refusals < packages::REFUSALS_MAX => {
            let again = Wish::ReachContact { link, chat, channel, packages, card: None };
            return from_the_card(work, number, again);
        }
        Err(CardFault::NotOpened | CardFault::NotProven) => {
            wish::fail(work, number, FailureReason::IdentityNotProven)?;
            return Ok(Progress::Settled);
        }
    };
    ensure(work, &parsed.identity, card.is_none().then_some(&contact_card))?;
    let route = Route::of(&contact_card);
    match packages::take_answer(work, &route, &mut packages, answer)? {
        Gathered::Going => {
            let card = Some(SecretBytes::new(&contact_card.to_bytes()));
            work.update_wish(number, Wish::ReachContact { link, chat, channel, packages, card })?;
            Ok(Progress::Next)
        }
        // Its devices or keys are changing there, and card and list came one after the other: all is
        // asked anew (spec: IDN-060).
        Gathered::Failed(FailureReason::IdentityNotProven)
            if packages.refusals < packages::REFUSALS_MAX =>
        {
            let again = Wish::ReachContact { link, chat, channel, packages, card: None };
            from_the_card(work, number, again)
        }
        Gathered::Failed(reason) => {
            wish::fail(work, number, packages::whose_clock(desk, reason))?;
            Ok(Progress::Settled)
        }
    }
}

/// Asks for all that a link leads to once more, from its card on, after a wait.
fn from_the_card(
    work: &mut Work<'_>,
    number: WishNumber,
    mut wish: Wish,
) -> Result<Progress, StoreError> {
    let Wish::ReachContact { packages, .. } = &mut wish else { return Ok(Progress::Next) };
    let refusals = packages.refusals.saturating_add(1);
    *packages = Packages { refusals, ..Packages::default() };
    let retry_after_ms = packages::refused_rest_ms(packages);
    work.update_wish(number, wish)?;
    Ok(Progress::Refused { retry_after_ms })
}

/// Why a link's card is not taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CardFault {
    /// It does not open with the link's key: whoever had the link did not write this.
    NotOpened,
    /// It was written with the link's key, and does not prove its identity.
    NotProven,
}

/// Opens a link's card: from here on the person can be written to.
fn open_card(link: &ContactLink, sealed: &[u8]) -> Result<ContactCard, CardFault> {
    let capability = link.secret.capability();
    let id = transcript::capability_id(&capability);
    let card = Card::open(&link.secret.card_key(), &link.inbox, &id, &link.identity, sealed)
        .map_err(|error| match error {
            CardError::Seal(_) => CardFault::NotOpened,
            _ => CardFault::NotProven,
        })?;
    let (statement, terms) = card.into_parts();
    Ok(ContactCard {
        relay: link.relay.clone(),
        inbox: link.inbox,
        capability,
        statement,
        inbox_key: terms.inbox_key,
        shelf_key: terms.shelf_key,
        device_list_minimum: terms.device_list_minimum,
        name: terms.name,
    })
}

/// The group that a link is to bring somebody into; a wish of a build before does not say it.
fn attempt(
    work: &Work<'_>,
    chat: ChatNumber,
    channel: Option<ChannelId>,
) -> Result<Option<ChannelId>, StoreError> {
    match channel {
        Some(channel) => Ok(Some(channel)),
        None => Ok(chats::load(work, chat)?.and_then(|chat| chat.channel)),
    }
}

/// The person behind a link could not be reached: what was written fails with the reason, unless
/// they reached us meanwhile.
pub(crate) fn not_reached(
    work: &mut Work<'_>,
    chat: ChatNumber,
    channel: Option<ChannelId>,
    reason: FailureReason,
) -> Result<(), StoreError> {
    match attempt(work, chat, channel)? {
        Some(channel) => direct::give_up(work, chat, &channel, reason),
        None => Ok(()),
    }
}
