//! Changing what a group has agreed on: a durable wish, made into one commit over the state of
//! whatever epoch it meets (spec: CLI-152).
//!
//! ```text
//! command ─▶ ChangeRecord ─▶ wish ─▶ [each epoch: true already? allowed? else one commit]
//! ```

use hushwire_protocol::{
    group::{
        Avatar, CommitIntent, Group, GroupError, GroupState as Agreed, LeafSelector, Life, Member,
        ROLES_MAX, Rejection, Right, Role,
    },
    identity::Fingerprint,
};

use crate::{
    chats,
    command::{
        ChatNumber, CommandError, FailureReason, GroupChange, GroupEdit, GroupInfo, GroupRight,
        MemberRole, PictureChange, PictureInfo, RightGrant, RoleGrant,
    },
    event::{Event, GroupPart},
    groups::{self, Change},
    log, profile,
    record::{ChangeRecord, EditRecord, RoleRecord, Wish},
    store::StoreError,
    work::Work,
};

/// Wishes for a change, unless it is true already. What would be refused is refused now, by name, and
/// nothing is stored (spec: CLI-150).
pub(crate) fn change(
    work: &mut Work<'_>,
    chat: ChatNumber,
    change: GroupChange,
) -> Result<(), CommandError> {
    let channel = groups::group_chat(work, chat)?;
    let group = log::load_group(work, &channel)?;
    let me = profile::fingerprint(work)?;
    let change = match change {
        GroupChange::Edit(edit) => ChangeRecord::Edit(parse(&group, &me, *edit)?),
        GroupChange::Dissolve => ChangeRecord::Dissolve,
    };
    match intent(&group, &change)? {
        Change::AlreadyTrue => return Ok(()),
        Change::NotAllowed(_) => return Err(CommandError::NoSuchMember),
        Change::Commit(intent) => check(&group, *intent)?,
    }
    work.wish(Wish::ChangeGroup { channel, change })?;
    Ok(())
}

fn parse(group: &Group, me: &Fingerprint, edit: GroupEdit) -> Result<EditRecord, CommandError> {
    let members = group.members().map_err(log::store_error)?;
    let picture = match edit.picture {
        Some(PictureChange::Set(picture)) => {
            let avatar = Avatar::new(picture).map_err(|_| CommandError::BadPicture)?;
            Some(serde_bytes::ByteBuf::from(avatar.picture()))
        }
        Some(PictureChange::Remove) => Some(serde_bytes::ByteBuf::new()),
        None => None,
    };
    let role = |grant: &RoleGrant| {
        let person = member(&members, &grant.member)?;
        Ok(RoleRecord { person, role: grant.role })
    };
    let remove = |fingerprint: &String| match member(&members, fingerprint) {
        // Who goes leaves.
        Ok(person) if person == *me => Err(CommandError::NoSuchMember),
        found => found,
    };
    Ok(EditRecord {
        name: edit.name.as_deref().map(chats::check_name).transpose()?,
        description: edit.description,
        picture,
        rights: edit.rights,
        roles: edit.roles.iter().map(role).collect::<Result<_, CommandError>>()?,
        remove: edit.remove.iter().map(remove).collect::<Result<_, CommandError>>()?,
    })
}

pub(crate) fn member(members: &[Member], fingerprint: &str) -> Result<Fingerprint, CommandError> {
    let person = Fingerprint::from_hex(fingerprint).map_err(|_| CommandError::NoSuchMember)?;
    let is_in = members.iter().any(|leaf| leaf.identity() == person);
    if is_in { Ok(person) } else { Err(CommandError::NoSuchMember) }
}

/// What every member would say, before anything is made.
fn check(group: &Group, intent: CommitIntent) -> Result<(), CommandError> {
    let roles = intent.set_state.as_ref().map_or(0, |state| state.roles.len());
    if roles > ROLES_MAX {
        return Err(CommandError::TooManyRoles);
    }
    group.check_intent(intent).map_err(|error| match error {
        GroupError::WouldBeRejected(Rejection::LastOwner) => CommandError::LastOwner,
        // The one thing in a state that is typed and was not looked at.
        GroupError::WouldBeRejected(Rejection::BadGroupState) => CommandError::BadText,
        GroupError::WouldBeRejected(_) => CommandError::NoRight,
        error => log::store_error(error).into(),
    })
}

/// Why a commit of a wish cannot be, when the members of the epoch would refuse it.
pub(crate) const fn reason(error: GroupError) -> FailureReason {
    match error {
        GroupError::WouldBeRejected(Rejection::LastOwner) => FailureReason::LastOwner,
        GroupError::UnknownMember => FailureReason::NoSuchMember,
        _ => FailureReason::NoRight,
    }
}

/// The commit that a change needs in the group as it is.
pub(crate) fn intent(group: &Group, change: &ChangeRecord) -> Result<Change, StoreError> {
    let agreed = group.state();
    let (wanted, remove) = match change {
        ChangeRecord::Dissolve => (Agreed { life: Life::Dissolved, ..agreed.clone() }, Vec::new()),
        ChangeRecord::Edit(edit) => {
            let people = groups::identities(&group.members().map_err(log::store_error)?);
            let Some(wanted) = edited(agreed, &people, edit)? else {
                return Ok(Change::NotAllowed(FailureReason::NoSuchMember));
            };
            let there = edit.remove.iter().filter(|person| people.contains(person));
            (wanted, there.copied().map(LeafSelector::Identity).collect())
        }
    };
    if remove.is_empty() && wanted == *agreed {
        return Ok(Change::AlreadyTrue);
    }
    let set_state = (wanted != *agreed).then_some(wanted);
    Ok(Change::Commit(Box::new(CommitIntent { remove, set_state, ..CommitIntent::default() })))
}

/// The state with everything in it that is wished for; none when a role is for somebody who has gone
/// meanwhile.
fn edited(
    agreed: &Agreed,
    people: &[Fingerprint],
    edit: &EditRecord,
) -> Result<Option<Agreed>, StoreError> {
    let mut wanted = agreed.clone();
    if let Some(name) = &edit.name {
        wanted.name.clone_from(name);
    }
    if let Some(description) = &edit.description {
        wanted.description.clone_from(description);
    }
    if let Some(picture) = &edit.picture {
        wanted.avatar = match picture.is_empty() {
            true => None,
            false => Some(Avatar::new(picture.to_vec()).map_err(|_| StoreError::Damaged)?),
        };
    }
    for grant in &edit.rights {
        wanted.rights.grant(right(grant.right), role(grant.least));
    }
    for grant in edit.roles.iter().filter(|grant| !edit.remove.contains(&grant.person)) {
        let wished = role(grant.role);
        if wished > Role::Member && !people.contains(&grant.person) {
            return Ok(None);
        }
        wanted.set_role(grant.person, wished);
    }
    Ok(Some(wanted))
}

/// Tells what a commit changed of the agreed state, and who did it (spec: CLI-154).
pub(crate) fn tell(
    work: &mut Work<'_>,
    chat: ChatNumber,
    by: &Fingerprint,
    before: &Agreed,
    after: &Agreed,
) -> Result<(), StoreError> {
    let parts = [
        (before.name != after.name, GroupPart::Name),
        (before.description != after.description, GroupPart::Description),
        (before.avatar != after.avatar, GroupPart::Picture),
        (before.rights != after.rights, GroupPart::Rights),
        (before.roles != after.roles, GroupPart::Roles),
    ];
    let changed: Vec<GroupPart> =
        parts.into_iter().filter(|(changed, _)| *changed).map(|(_, part)| part).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let named = before.roles.iter().chain(&after.roles).map(|entry| entry.identity);
    let mut members: Vec<Fingerprint> =
        named.filter(|person| before.role(person) != after.role(person)).collect();
    members.sort_unstable();
    members.dedup();
    let members = members.iter().map(Fingerprint::to_hex).collect();
    work.event(Event::GroupChanged { chat, by: by.to_hex(), changed, members })
}

/// What the members of a group have agreed on.
pub(crate) fn info(work: &mut Work<'_>, chat: ChatNumber) -> Result<GroupInfo, CommandError> {
    let channel = groups::group_chat(work, chat)?;
    let group = log::load_group(work, &channel)?;
    let me = profile::fingerprint(work)?;
    let agreed = group.state();
    let grant = |wanted: GroupRight| RightGrant {
        right: wanted,
        least: member_role(agreed.rights.least(right(wanted))),
    };
    Ok(GroupInfo {
        chat,
        name: agreed.name.clone(),
        description: agreed.description.clone(),
        picture: agreed.avatar.as_ref().map(|avatar| PictureInfo {
            media_type: avatar.format().media_type().to_owned(),
            bytes: avatar.picture().to_vec(),
        }),
        rights: GroupRight::ALL.map(grant).to_vec(),
        role: member_role(agreed.role(&me)),
    })
}

/// A role, as an app is told of it.
pub(crate) const fn member_role(role: Role) -> MemberRole {
    match role {
        Role::Owner => MemberRole::Owner,
        Role::Admin => MemberRole::Admin,
        Role::Member => MemberRole::Member,
    }
}

const fn role(role: MemberRole) -> Role {
    match role {
        MemberRole::Owner => Role::Owner,
        MemberRole::Admin => Role::Admin,
        MemberRole::Member => Role::Member,
    }
}

const fn right(right: GroupRight) -> Right {
    match right {
        GroupRight::Add => Right::Add,
        GroupRight::Remove => Right::Remove,
        GroupRight::Describe => Right::Describe,
        GroupRight::ChangeRoles => Right::ChangeRoles,
        GroupRight::ChangeRights => Right::ChangeRights,
        GroupRight::MentionAll => Right::MentionAll,
        GroupRight::Pin => Right::Pin,
        GroupRight::Invite => Right::Invite,
        GroupRight::Write => Right::Write,
    }
}
