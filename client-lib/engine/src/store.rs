//! Where a client keeps everything: sorted tables of rows, changed in atomic batches.
//!
//! One trait, three methods. The engine collects the changes of one operation in a
//! [`crate::transaction::Transaction`] and applies them in one batch: the operation happened or it
//! did not (spec: CLI-001). The encrypted SQLCipher store and the memory store have the same meaning.

/// A kind of row. The name is the table's name in the encrypted database; the list is its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Single records of the profile, by name: identity, device keys, settings, counters.
    Profile,
    /// openmls state, by openmls key; large values are kept as chunks by the store.
    Mls,
    /// A group, by channel id.
    Group,
    /// Epoch keys and place in the log, by (channel, epoch).
    Epoch,
    /// A chat (what a person sees), by chat id.
    Chat,
    /// A message, by (chat, number).
    Message,
    /// (chat, number), by message id.
    MessagePlace,
    /// Per message and person: delivered, read.
    Receipt,
    /// A contact, by identity fingerprint.
    Contact,
    /// A contact link we gave out, by number.
    Link,
    /// A durable wish, by number: see `wish`.
    Wish,
    /// Nothing, by (channel, wish number): which wishes are about a channel.
    ChannelWish,
    /// Sealed bytes waiting for their receipt, by wish number.
    Sealed,
    /// A file that goes up or down, by transfer number.
    Transfer,
    /// Heads of an epoch's chain, by (channel, epoch, place), to compare with what others saw.
    Head,
    /// Events for the app, by number.
    Event,
    /// Numbers of the wishes whose sealed bytes are on their way, by entry id.
    OwnEntry,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 17] = [
        Self::Profile,
        Self::Mls,
        Self::Group,
        Self::Epoch,
        Self::Chat,
        Self::Message,
        Self::MessagePlace,
        Self::Receipt,
        Self::Contact,
        Self::Link,
        Self::Wish,
        Self::ChannelWish,
        Self::Sealed,
        Self::Transfer,
        Self::Head,
        Self::Event,
        Self::OwnEntry,
    ];

    /// The table's name in a database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Mls => "mls",
            Self::Group => "groups",
            Self::Epoch => "epoch",
            Self::Chat => "chat",
            Self::Message => "message",
            Self::MessagePlace => "message_place",
            Self::Receipt => "receipt",
            Self::Contact => "contact",
            Self::Link => "link",
            Self::Wish => "wish",
            Self::ChannelWish => "channel_wish",
            Self::Sealed => "sealed",
            Self::Transfer => "transfer",
            Self::Head => "head",
            Self::Event => "event",
            Self::OwnEntry => "own_entry",
        }
    }
}

/// Sets a row, or removes it with `value: None`. Values may hold keys: zeroized when dropped.
#[derive(PartialEq, Eq)]
pub struct Change {
    /// The kind of row.
    pub table: Table,
    /// The row's key; sorted bytewise.
    pub key: Vec<u8>,
    /// The row's value from now on.
    pub value: Option<zeroize::Zeroizing<Vec<u8>>>,
}

/// A row of an ordered read.
pub struct Row {
    /// The row's key.
    pub key: Vec<u8>,
    /// The row's value.
    pub value: zeroize::Zeroizing<Vec<u8>>,
}

/// Which end of a range an ordered read begins at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Smallest key first.
    Ascending,
    /// Greatest key first.
    Descending,
}

/// A range of keys: those with `prefix`, from `from` on (inclusive, in the order asked for).
#[derive(Clone, Copy, Debug)]
pub struct Range<'a> {
    /// Every key starts with it.
    pub prefix: &'a [u8],
    /// First key to return, if it exists; `None`: from the end that `order` names.
    pub from: Option<&'a [u8]>,
    /// Which way.
    pub order: Order,
    /// Rows to return at most.
    pub rows_max: usize,
}

/// Why a store could not serve. Blame: the machine the client runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No space is left; nothing was changed.
    #[error("the disk is full")]
    Full,
    /// Stored bytes cannot be understood.
    #[error("the store is damaged")]
    Damaged,
    /// Reading or writing failed; nothing was changed.
    #[error("the disk failed")]
    Failed,
}

/// Sorted tables with atomic, durable batches.
pub trait Store {
    /// One row.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    fn row(
        &self,
        table: Table,
        key: &[u8],
    ) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, StoreError>;

    /// Rows in key order.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    fn rows(&self, table: Table, range: Range<'_>) -> Result<Vec<Row>, StoreError>;

    /// The keys of a range, in order, also where a value cannot be read.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    fn keys(&self, table: Table, range: Range<'_>) -> Result<Vec<Vec<u8>>, StoreError> {
        Ok(self.rows(table, range)?.into_iter().map(|row| row.key).collect())
    }

    /// Stores all changes or none; when this returns they are durable.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was changed.
    fn apply(&mut self, changes: Vec<Change>) -> Result<(), StoreError>;
}
