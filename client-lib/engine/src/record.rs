//! The rows of the client's store, as types: what each table holds, and under which key.
//!
//! Values are MessagePack with field names, so that a later version can add fields with a default.
//! Everything here is inside the encrypted store; secrets are still kept in zeroizing types.

mod change;
mod chat;
mod fork;
mod group;
mod key;
mod profile;
mod secret;
mod transfer;
mod wish;

pub(crate) use change::{ChangeRecord, EditRecord, RoleRecord};
pub(crate) use chat::{
    BodyRecord, ChatRecord, ContactRecord, DeliveryRecord, FileRecord, LinkRecord, MessageRecord,
    Outgoing,
};
pub(crate) use fork::{
    Arrival, AskedFrom, Caution, Doubt, LeftRecord, PastRosterRecord, Saying, Search,
    StatementRecord, Unsettled, Watch,
};
pub(crate) use group::{
    CandidateRecord, Contest, Entered, EpochRecord, GroupRecord, GroupState, PurposeRecord,
    ReceiptRecord, Refresh, Refreshing, SealedRecord, StuckRecord, Verdict,
};
pub(crate) use key::{by_channel, by_channel_wish, by_chat, by_number, number_of};
pub(crate) use profile::{
    Counters, IdentityRecord, InboxRecord, JoiningRecord, LinkingRecord, LinkingStep,
    OldCapability, OldSealKey, OldShelfKey, Way,
};
pub(crate) use secret::SecretBytes;
pub use transfer::TransferNumber;
pub(crate) use transfer::{Direction, DownloadRecord, TransferRecord, UploadRecord};
pub(crate) use wish::{
    Cause, Invitee, Packages, SharedSnapshot, Shown, UnsealedItem, Wish, WishNumber, WishRecord,
};

use hushwire_protocol::identity::{DeviceCredential, UnverifiedCredential};
use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use crate::{
    store::{Order, Range, StoreError, Table},
    transaction::Transaction,
};

/// A kind of row.
pub(crate) trait Record: Serialize + DeserializeOwned {
    /// Where it stands.
    const TABLE: Table;
}

pub(crate) fn encode(record: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    // Our records have no maps with strange keys; encoding fails for lack of memory at most.
    rmp_serde::to_vec_named(record).map(Zeroizing::new).map_err(|_| StoreError::Failed)
}

pub(crate) fn decode<R: DeserializeOwned>(bytes: &[u8]) -> Result<R, StoreError> {
    rmp_serde::from_slice(bytes).map_err(|_| StoreError::Damaged)
}

/// A credential in a row: it was verified before it was stored.
pub(crate) fn credential(bytes: &[u8]) -> Result<DeviceCredential, StoreError> {
    UnverifiedCredential::parse(bytes)
        .and_then(UnverifiedCredential::verify)
        .map_err(|_| StoreError::Damaged)
}

impl Transaction<'_> {
    /// Reads a record.
    pub(crate) fn load<R: Record>(&self, key: &[u8]) -> Result<Option<R>, StoreError> {
        self.row(R::TABLE, key)?.map(|value| decode(&value)).transpose()
    }

    /// Writes a record.
    pub(crate) fn save<R: Record>(&self, key: &[u8], record: &R) -> Result<(), StoreError> {
        self.put(R::TABLE, key, encode(record)?);
        Ok(())
    }

    /// Reads records whose keys start with `prefix`, in key order.
    pub(crate) fn list<R: Record>(
        &self,
        prefix: &[u8],
        rows_max: usize,
    ) -> Result<Vec<Keyed<R>>, StoreError> {
        self.list_from(prefix, None, rows_max)
    }

    /// Reads records whose keys start with `prefix`, from `from` on.
    pub(crate) fn list_from<R: Record>(
        &self,
        prefix: &[u8],
        from: Option<&[u8]>,
        rows_max: usize,
    ) -> Result<Vec<Keyed<R>>, StoreError> {
        let range = Range { prefix, from, order: Order::Ascending, rows_max };
        self.rows(R::TABLE, range)?
            .into_iter()
            .map(|row| Ok(Keyed { record: decode(&row.value)?, key: row.key }))
            .collect()
    }
}

/// A record with the key it was read from.
pub(crate) struct Keyed<R> {
    pub(crate) key: Vec<u8>,
    pub(crate) record: R,
}

/// Serde of the wire's fixed-length ids as byte strings.
pub(crate) mod id {
    use serde::{Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<T, S>(id: &T, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: AsRef<[u8]>,
        S: Serializer,
    {
        serializer.serialize_bytes(id.as_ref())
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: for<'a> TryFrom<&'a [u8]>,
        D: Deserializer<'de>,
    {
        let bytes: serde_bytes::ByteBuf = serde::Deserialize::deserialize(deserializer)?;
        T::try_from(bytes.as_slice()).map_err(|_| D::Error::custom("wrong length"))
    }

    /// The same for an id that may be missing: the empty byte string stands for none.
    pub(crate) mod option {
        use super::{Deserializer, Serializer};
        use serde::de::Error as _;

        pub(crate) fn serialize<T, S>(id: &Option<T>, serializer: S) -> Result<S::Ok, S::Error>
        where
            T: AsRef<[u8]>,
            S: Serializer,
        {
            serializer.serialize_bytes(id.as_ref().map_or(&[][..], AsRef::as_ref))
        }

        pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
        where
            T: for<'a> TryFrom<&'a [u8]>,
            D: Deserializer<'de>,
        {
            let bytes: serde_bytes::ByteBuf = serde::Deserialize::deserialize(deserializer)?;
            if bytes.is_empty() {
                return Ok(None);
            }
            T::try_from(bytes.as_slice()).map(Some).map_err(|_| D::Error::custom("wrong length"))
        }
    }

    /// The same for a list, each id by itself.
    pub(crate) mod each {
        use super::{Deserializer, Serializer};
        use serde::de::Error as _;
        use serde_bytes::{ByteBuf, Bytes};

        pub(crate) fn serialize<T, S>(ids: &[T], serializer: S) -> Result<S::Ok, S::Error>
        where
            T: AsRef<[u8]>,
            S: Serializer,
        {
            serializer.collect_seq(ids.iter().map(|id| Bytes::new(id.as_ref())))
        }

        pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
        where
            T: for<'a> TryFrom<&'a [u8]>,
            D: Deserializer<'de>,
        {
            let ids: Vec<ByteBuf> = serde::Deserialize::deserialize(deserializer)?;
            let id =
                |bytes: &ByteBuf| T::try_from(bytes).map_err(|_| D::Error::custom("wrong length"));
            ids.iter().map(id).collect()
        }

        /// The same for a list that may be missing.
        pub(crate) mod option {
            use super::{Deserializer, Serializer};
            use serde::{Deserialize, Serialize};

            pub(crate) fn serialize<T, S>(
                ids: &Option<Vec<T>>,
                serializer: S,
            ) -> Result<S::Ok, S::Error>
            where
                T: AsRef<[u8]>,
                S: Serializer,
            {
                ids.as_deref().map(Ids).serialize(serializer)
            }

            pub(crate) fn deserialize<'de, T, D>(
                deserializer: D,
            ) -> Result<Option<Vec<T>>, D::Error>
            where
                T: for<'a> TryFrom<&'a [u8]>,
                D: Deserializer<'de>,
            {
                Ok(Option::<Read<T>>::deserialize(deserializer)?.map(|ids| ids.0))
            }

            struct Ids<'a, T>(&'a [T]);

            impl<T: AsRef<[u8]>> Serialize for Ids<'_, T> {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    super::serialize(self.0, serializer)
                }
            }

            struct Read<T>(Vec<T>);

            impl<'de, T: for<'a> TryFrom<&'a [u8]>> Deserialize<'de> for Read<T> {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    super::deserialize(deserializer).map(Self)
                }
            }
        }
    }

    /// The same for a list, the ids one after the other.
    pub(crate) mod list {
        use super::{Deserializer, Serializer};
        use serde::de::Error as _;

        pub(crate) fn serialize<T, S>(ids: &[T], serializer: S) -> Result<S::Ok, S::Error>
        where
            T: AsRef<[u8]>,
            S: Serializer,
        {
            let bytes: Vec<u8> = ids.iter().flat_map(|id| id.as_ref().iter().copied()).collect();
            serializer.serialize_bytes(&bytes)
        }

        pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
        where
            T: for<'a> TryFrom<&'a [u8]>,
            D: Deserializer<'de>,
        {
            let bytes: serde_bytes::ByteBuf = serde::Deserialize::deserialize(deserializer)?;
            // Every list in the records is of 32-byte ids.
            bytes
                .chunks(32)
                .map(|id| T::try_from(id).map_err(|_| D::Error::custom("wrong length")))
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use hushwire_protocol::identity::DeviceId;

    use super::*;

    #[test]
    fn a_list_of_ids_is_read_and_written_as_one_of_byte_arrays_was() {
        // spec: CLI-133
        #[derive(serde::Deserialize, Serialize)]
        struct Row {
            #[serde(with = "id::each")]
            devices: Vec<DeviceId>,
            #[serde(with = "id::each::option", default)]
            others: Option<Vec<DeviceId>>,
        }
        #[derive(Serialize)]
        struct Before {
            devices: Vec<serde_bytes::ByteArray<16>>,
            others: Option<Vec<serde_bytes::ByteArray<16>>>,
        }
        #[derive(Serialize)]
        struct Earlier {
            devices: Vec<serde_bytes::ByteArray<16>>,
        }
        let devices = [1, 2].map(|byte| serde_bytes::ByteArray::new([byte; 16])).to_vec();
        for others in [None, Some(devices.clone())] {
            let ids = [1, 2].map(|byte| DeviceId::from_bytes([byte; 16])).to_vec();
            let expected = others.is_some().then(|| ids.clone());
            let before = encode(&Before { devices: devices.clone(), others }).unwrap();
            let row: Row = decode(&before).unwrap();
            assert_eq!((&row.devices, &row.others), (&ids, &expected));
            assert_eq!(encode(&row).unwrap(), before);
        }
        let row: Row = decode(&encode(&Earlier { devices }).unwrap()).unwrap();
        assert_eq!(row.others, None);
    }

    #[test]
    fn rows_of_a_build_that_called_wishes_intents_are_read() {
        // spec: CLI-133
        // {"event": 3, "intent": 9, "chat": 2}
        let counters: Counters = decode(b"\x83\xa5event\x03\xa6intent\x09\xa4chat\x02").unwrap();
        assert_eq!((counters.event, counters.wish, counters.chat), (3, 9, 2));

        let bytes = |length: u8| [vec![0xc4, length], vec![length; length.into()]].concat();
        let sealed = [
            &b"\x88\xa7channel"[..],
            &bytes(32),
            b"\xa5epoch",
            &bytes(32),
            b"\xa5entry",
            &bytes(32),
            b"\xa8envelope",
            &bytes(5),
            b"\xa6commit\xc0\xa6upload",
            &bytes(32),
            b"\xa8uploaded\x01\xa6intent\x09",
        ];
        assert_eq!(decode::<SealedRecord>(&sealed.concat()).unwrap().wish, 9);

        let download = b"\x81\xa4Down\x84\xa3tag\xc4\x0c000000000000\xa6chunks\x01\xa5bytes\x02\xa7checked\xc2";
        let transfer = [
            &b"\x87\xa6intent\x09\xa4chat\x01\xa7message\x02\xa7channel"[..],
            &bytes(32),
            b"\xa5relay\xa1r\xa4path\xa1p\xa9direction",
            download,
        ];
        assert_eq!(decode::<TransferRecord>(&transfer.concat()).unwrap().wish, 9);
    }
}
