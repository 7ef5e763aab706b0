//! Seals and opens single chunks; the construction itself.

use core::fmt;

use aes_gcm_siv::{
    Aes256GcmSiv, Nonce, Tag,
    aead::{AeadInPlace as _, KeyInit as _},
};

use super::{
    AttachmentError, FileKey,
    layout::{ChunkIndex, ChunkPlace, FileLength, Layout, TAG_BYTES},
};
use crate::{derive::derive, label::Label, padding::check_zeros};

const NONCE_PREFIX_BYTES: usize = 7;

/// Seals and opens the chunks of one file, in any order (spec: ATT-002).
pub struct ChunkCipher {
    layout: Layout,
    aead: Aes256GcmSiv,
    nonce_prefix: [u8; NONCE_PREFIX_BYTES],
}

impl ChunkCipher {
    /// The cipher of a file with this key and length. Another length is another cipher, so a file
    /// can be neither cut nor extended (spec: ATT-002).
    pub fn new(key: &FileKey, length: FileLength) -> Self {
        let context = length.bytes().to_be_bytes();
        let chunk_key = derive::<32>(key.expose(), Label::AttachmentKey, &context);
        let nonce_prefix = derive(key.expose(), Label::AttachmentNonce, &context);
        Self {
            layout: Layout::new(length),
            aead: Aes256GcmSiv::new((&*chunk_key).into()),
            nonce_prefix: *nonce_prefix,
        }
    }

    /// Where everything lies.
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Seals a chunk in place: `buffer` holds its bytes of the file, and then the sealed chunk.
    ///
    /// # Errors
    /// [`AttachmentError::SourceChanged`] when these are not as many bytes as the file's length asks
    /// for, [`AttachmentError::OutOfOrder`] beyond the end.
    pub fn seal(&self, index: ChunkIndex, buffer: &mut Vec<u8>) -> Result<(), AttachmentError> {
        let range = self.layout.file_range(index)?;
        if buffer.len() as u64 != u64::from(range.length) {
            return Err(AttachmentError::SourceChanged);
        }
        // spec: ATT-004
        buffer.resize(self.layout.capacity(index)? as usize, 0);
        let tag = self
            .aead
            .encrypt_in_place_detached(&self.nonce(index), &[], buffer)
            .map_err(|_| AttachmentError::TooLong)?;
        buffer.extend_from_slice(&tag);
        Ok(())
    }

    /// Opens a chunk in place: `buffer` holds the sealed chunk, and then its bytes of the file.
    ///
    /// # Errors
    /// [`AttachmentError::WrongLength`] (spec: ATT-006), [`AttachmentError::NotAuthentic`]
    /// (spec: ATT-007), [`AttachmentError::BadPadding`] (spec: ATT-008),
    /// [`AttachmentError::OutOfOrder`] beyond the end. The buffer is empty then.
    pub fn open(&self, index: ChunkIndex, buffer: &mut Vec<u8>) -> Result<(), AttachmentError> {
        let opened = self.open_or_leave(index, buffer);
        if opened.is_err() {
            buffer.clear();
        }
        opened
    }

    fn open_or_leave(
        &self,
        index: ChunkIndex,
        buffer: &mut Vec<u8>,
    ) -> Result<(), AttachmentError> {
        let sealed = self.layout.sealed_range(index)?;
        if buffer.len() as u64 != u64::from(sealed.length) {
            return Err(AttachmentError::WrongLength);
        }
        let capacity = sealed.length.saturating_sub(TAG_BYTES) as usize;
        let tag = buffer.split_off(capacity);
        self.aead
            .decrypt_in_place_detached(&self.nonce(index), &[], buffer, Tag::from_slice(&tag))
            .map_err(|_| AttachmentError::NotAuthentic)?;
        let length = self.layout.file_range(index)?.length as usize;
        let padding = buffer.get(length..).ok_or(AttachmentError::WrongLength)?;
        check_zeros(padding).map_err(|_| AttachmentError::BadPadding)?;
        buffer.truncate(length);
        Ok(())
    }

    fn nonce(&self, index: ChunkIndex) -> Nonce {
        let last = match self.layout.place(index) {
            ChunkPlace::Inner => 0,
            ChunkPlace::Last => 1,
        };
        let mut nonce = Nonce::default();
        let fields = self.nonce_prefix.into_iter().chain(index.0.to_be_bytes()).chain([last]);
        nonce.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        nonce
    }
}

impl fmt::Debug for ChunkCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChunkCipher(..)")
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "test files are short")]
mod tests;
