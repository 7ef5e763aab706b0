//! Who somebody is, and which devices speak for them.
//!
//! ```text
//! recovery phrase ─▶ root key ─signs─▶ manager statement ─▶ manager key ─signs─▶ device certificate
//!                       │                                        └──signs─▶ device list
//!                       └─hash─▶ fingerprint: the identity
//! ```
//!
//! The root key is made at set-up and kept on no device; its fingerprint is the identity. It signs
//! which manager key may link and revoke devices, with a counter, so that a later statement shuts a
//! stolen manager key out. A [`DeviceCredential`] carries the chain from root to device, and stands
//! in the device's MLS leaf. Nothing here asks a clock but [`DeviceList::check_fresh`], which only
//! whoever adds a device calls. Normative text: `spec/identity.md`.

pub mod credential;
pub mod device;
pub mod device_list;
pub mod fingerprint;
pub mod manager;
pub mod phrase;
pub mod root;

pub use credential::{CredentialError, DeviceCredential, UnverifiedCredential};
pub use device::{CertificateHash, DeviceCertificate, DeviceId, DeviceKey, DeviceSerial};
pub use device_list::{
    CLOCK_SKEW_MS, DeviceEntry, DeviceKind, DeviceList, DeviceListRank, DeviceListVersion,
};
pub use fingerprint::Fingerprint;
pub use manager::{ManagerCounter, ManagerKey, ManagerStatement};
pub use phrase::{PhraseError, RecoveryPhrase};
pub use root::{Recovery, RootKey};

/// The version of every layout in this module.
pub(crate) const VERSION: u16 = 1;
