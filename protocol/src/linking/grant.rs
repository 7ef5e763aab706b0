//! What the old device hands over once the digits matched.

use hushwire_wire::id::{CapabilitySecret, ChannelId, InboxId};
use zeroize::Zeroizing;

use crate::address::{self, RelayAddress};
use crate::card::ShelfKey;
use crate::encoding::{DecodeError, Reader, Writer};
use crate::identity::device_list::DeviceListError;
use crate::identity::{
    CredentialError, DeviceCredential, DeviceList, DeviceListRank, Fingerprint, ManagerKey,
    UnverifiedCredential,
};
use crate::label::Label;
use crate::linking::VERSION;
use crate::linking::request::{Exchange, RequestTerms};
use crate::own_devices::InboxGeneration;
use crate::profile::ProfileName;
use crate::seal::InboxKey;
use crate::sealed_box::SealError;
use crate::secret::signing_key;

/// The longest `own_group` field, in bytes: a grant has to fit into one inbox item.
pub const OWN_GROUP_BYTES_MAX: usize = 192 * 1024;

signing_key!(
    /// The key that owns the identity's inbox at the relay.
    InboxOwnerKey
);

impl InboxOwnerKey {
    /// The key, for the wire's transcripts.
    pub const fn signing_key(&self) -> &hushwire_wire::SigningKey {
        &self.0
    }
}

/// The secrets that all devices of an identity share.
#[derive(Debug)]
pub struct GrantedSecrets {
    /// Owns the identity's inbox at the relay.
    pub inbox_owner: InboxOwnerKey,
    /// Opens inbox items.
    pub inbox_key: InboxKey,
    /// Seals and opens the shelf.
    pub shelf_key: ShelfKey,
    /// Lets the device link and revoke others; only if the person wants that.
    pub manager: Option<ManagerKey>,
}

/// What the old device hands over (spec: LNK-057).
#[derive(Debug)]
pub struct LinkGrant {
    /// The new device's credential.
    pub credential: DeviceCredential,
    /// The relay of the identity's inbox.
    pub relay: RelayAddress,
    /// The identity's inbox.
    pub inbox: InboxId,
    /// The newest device list, which names the new device.
    pub device_list: DeviceListRank,
    /// The profile's name.
    pub name: ProfileName,
    /// The shared secrets.
    pub secrets: GrantedSecrets,
    /// How the device gets into the identity's own group.
    pub own_group: OwnGroup,
}

/// The field `own_group` of a grant (spec: IDN-053).
#[derive(Debug)]
pub struct OwnGroup {
    /// The own capability of the inbox.
    pub capability: CapabilitySecret,
    /// The channel of the own group.
    pub channel: ChannelId,
    /// That of the keys that are granted.
    pub generation: InboxGeneration,
    /// The newest device list.
    pub device_list: DeviceList,
}

impl OwnGroup {
    /// The field.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Writer::with_capacity(4096)
            .fixed(self.capability.expose())
            .fixed(self.channel)
            .integer(self.generation.0)
            .fixed(self.device_list.to_bytes())
            .into_secret()
    }

    /// Reads the field of a grant to a device of this identity.
    ///
    /// # Errors
    /// [`DecodeError`] of the field, and [`GrantError`] of the list.
    pub fn decode(bytes: &[u8], identity: &Fingerprint) -> Result<Self, super::LinkingError> {
        let mut reader = Reader::new(bytes);
        Ok(Self {
            capability: CapabilitySecret::from_bytes(reader.array()?),
            channel: ChannelId::from_bytes(reader.array()?),
            generation: InboxGeneration(reader.integer()?),
            device_list: DeviceList::decode(reader.bytes(reader.remaining())?, identity)
                .map_err(GrantError::DeviceList)?,
        })
    }
}

/// Why a grant is refused. Peer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// The credential is of another device or key than was asked for.
    #[error("the credential is of another device")]
    OtherDevice,
    /// The manager key is not the one of the credential's statement.
    #[error("the manager key does not belong to the identity")]
    OtherManager,
    /// The device list of the field `own_group` has another rank than the grant says.
    #[error("the device list has another rank")]
    OtherRank,
    /// That list is not valid, or does not name the device.
    #[error("the device list is not valid: {0}")]
    DeviceList(DeviceListError),
    /// The credential is not valid.
    #[error("the credential is not valid: {0}")]
    Credential(#[from] CredentialError),
}

impl LinkGrant {
    /// Whether the grant is for the device that asked, and its parts belong together.
    pub(super) fn check(&self, terms: &RequestTerms) -> Result<(), GrantError> {
        let credential = &self.credential;
        if credential.device() != terms.device || credential.signature_key() != terms.device_key {
            return Err(GrantError::OtherDevice);
        }
        let stated = credential.statement().manager_key();
        if self.secrets.manager.as_ref().is_some_and(|key| key.public() != stated) {
            return Err(GrantError::OtherManager);
        }
        let list = &self.own_group.device_list;
        if list.rank() != self.device_list {
            return Err(GrantError::OtherRank);
        }
        list.entry(credential.certificate()).map(|_| ()).map_err(GrantError::DeviceList)
    }

    fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let writer = Writer::with_capacity(8192).short(VERSION).fixed(self.credential.to_bytes());
        let writer = address::write(&self.relay, writer).fixed(self.inbox);
        let writer = self.name.write(self.device_list.write(writer));
        let writer = writer
            .fixed(self.secrets.inbox_owner.to_secret_bytes().as_slice())
            .fixed(self.secrets.inbox_key.expose())
            .fixed(self.secrets.shelf_key.expose());
        let writer = match &self.secrets.manager {
            None => writer.byte(0),
            Some(key) => writer.byte(1).fixed(key.to_secret_bytes().as_slice()),
        };
        writer.variable(&self.own_group.to_bytes()).into_secret()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, super::LinkingError> {
        let mut reader = Reader::new(bytes);
        reader.version(VERSION)?;
        let credential = reader.bytes(DeviceCredential::LENGTH)?;
        let credential = UnverifiedCredential::parse(credential).map_err(GrantError::Credential)?;
        let credential = credential.verify().map_err(GrantError::Credential)?;
        let identity = credential.identity();
        let grant = Self {
            credential,
            relay: address::read(&mut reader)?,
            inbox: InboxId::from_bytes(reader.array()?),
            device_list: DeviceListRank::read(&mut reader)?,
            name: ProfileName::read(&mut reader)?,
            secrets: read_secrets(&mut reader)?,
            own_group: OwnGroup::decode(reader.variable(OWN_GROUP_BYTES_MAX)?, &identity)?,
        };
        reader.finish()?;
        Ok(grant)
    }
}

fn read_secrets(reader: &mut Reader<'_>) -> Result<GrantedSecrets, DecodeError> {
    Ok(GrantedSecrets {
        inbox_owner: InboxOwnerKey::from_bytes(&Zeroizing::new(reader.array()?)),
        inbox_key: InboxKey::from_bytes(reader.array()?),
        shelf_key: ShelfKey::from_bytes(reader.array()?),
        manager: match reader.byte()? {
            0 => None,
            1 => Some(ManagerKey::from_bytes(&Zeroizing::new(reader.array()?))),
            _ => return Err(DecodeError::UndefinedValue),
        },
    })
}

/// The grant's bytes, as HPKE seals them. The outer box pads.
pub(super) fn grant_plaintext(grant: &LinkGrant) -> Result<Zeroizing<Vec<u8>>, SealError> {
    if grant.own_group.to_bytes().len() > OWN_GROUP_BYTES_MAX {
        return Err(SealError::TooLong);
    }
    Ok(grant.to_bytes())
}

/// HPKE `info` of a grant: the exchange that the digits stand for (spec: LNK-057).
pub(super) fn grant_info(exchange: &Exchange) -> Vec<u8> {
    Label::LinkingGrant.bind(exchange.as_bytes())
}
