use proptest::prelude::*;

use super::*;

const KEY: FileKey = FileKey::from_bytes([7; 32]);
/// Three chunks: two full ones, and a last one with padding.
const LENGTH: u64 = 600_000;

fn cipher(length: u64) -> ChunkCipher {
    ChunkCipher::new(&KEY, FileLength::new(length).unwrap())
}

fn file(length: u64) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}

fn sealed_chunks(cipher: &ChunkCipher) -> Vec<Vec<u8>> {
    let file = file(cipher.layout().file_length().bytes());
    let seal = |index| {
        let range = cipher.layout().file_range(ChunkIndex(index)).unwrap();
        let mut buffer = file[range.offset as usize..][..range.length as usize].to_vec();
        cipher.seal(ChunkIndex(index), &mut buffer).unwrap();
        buffer
    };
    (0..cipher.layout().chunks().0).map(seal).collect()
}

fn open(cipher: &ChunkCipher, index: u32, chunk: &[u8]) -> Result<Vec<u8>, AttachmentError> {
    let mut buffer = chunk.to_vec();
    cipher.open(ChunkIndex(index), &mut buffer).map(|()| buffer.clone()).inspect_err(|_| {
        assert!(buffer.is_empty(), "nothing of a refused chunk is left");
    })
}

#[test]
fn chunks_open_in_any_order() {
    // spec: ATT-002, ATT-003
    let cipher = cipher(LENGTH);
    let chunks = sealed_chunks(&cipher);
    let lengths: Vec<_> = chunks.iter().map(Vec::len).collect();
    assert_eq!(lengths, [262_144, 262_144, 606_208 - 2 * 262_144]);
    for index in [2, 0, 1] {
        let range = cipher.layout().file_range(ChunkIndex(index)).unwrap();
        let opened = open(&cipher, index, &chunks[index as usize]).unwrap();
        assert_eq!(opened, file(LENGTH)[range.offset as usize..][..range.length as usize]);
    }
}

#[test]
fn misplaced_chunks_are_refused() {
    // spec: ATT-007: reordered and duplicated
    let cipher = cipher(LENGTH);
    let chunks = sealed_chunks(&cipher);
    assert_eq!(open(&cipher, 1, &chunks[0]), Err(AttachmentError::NotAuthentic));
    assert_eq!(open(&cipher, 0, &chunks[1]), Err(AttachmentError::NotAuthentic));
    // spec: ATT-006
    assert_eq!(open(&cipher, 1, &chunks[2]), Err(AttachmentError::WrongLength));
    assert_eq!(open(&cipher, 3, &chunks[2]), Err(AttachmentError::OutOfOrder));
}

#[test]
fn a_file_is_neither_cut_nor_extended() {
    // spec: ATT-002, ATT-007
    let chunks = sealed_chunks(&cipher(LENGTH));
    // A file of exactly the first two chunks, and one with a byte more or less.
    let shorter = cipher(2 * 262_128);
    assert_eq!(shorter.layout().chunks(), ChunkIndex(2));
    assert_eq!(open(&shorter, 1, &chunks[1]), Err(AttachmentError::NotAuthentic));
    for length in [LENGTH - 1, LENGTH + 1] {
        let other = cipher(length);
        assert_eq!(other.layout().sealed_length(), 606_208);
        for (index, chunk) in (0..).zip(&chunks) {
            assert_eq!(open(&other, index, chunk), Err(AttachmentError::NotAuthentic));
        }
    }
}

#[test]
fn damaged_chunks_are_refused() {
    let cipher = cipher(1_000);
    let chunk = sealed_chunks(&cipher).remove(0);
    for byte in [0, 500, 1_007, 1_008, 1_023] {
        // spec: ATT-007
        let mut damaged = chunk.clone();
        damaged[byte] ^= 1;
        assert_eq!(open(&cipher, 0, &damaged), Err(AttachmentError::NotAuthentic), "{byte}");
    }
    for length in [0, 15, 16, 1_023] {
        // spec: ATT-006
        assert_eq!(open(&cipher, 0, &chunk[..length]), Err(AttachmentError::WrongLength));
    }
    let longer = [&chunk[..], &[0]].concat();
    assert_eq!(open(&cipher, 0, &longer), Err(AttachmentError::WrongLength));
    let other = ChunkCipher::new(&FileKey::from_bytes([8; 32]), FileLength::new(1_000).unwrap());
    assert_eq!(open(&other, 0, &chunk), Err(AttachmentError::NotAuthentic));
}

#[test]
fn a_wrong_last_mark_is_refused() {
    // spec: ATT-007: the same key and place, sealed with the other mark
    let cipher = cipher(1_000);
    let mut buffer = vec![0; 1_008];
    let mut nonce = cipher.nonce(ChunkIndex(0));
    assert_eq!(nonce[11], 1);
    nonce[11] = 0;
    let tag = cipher.aead.encrypt_in_place_detached(&nonce, &[], &mut buffer).unwrap();
    buffer.extend_from_slice(&tag);
    assert_eq!(open(&cipher, 0, &buffer), Err(AttachmentError::NotAuthentic));
}

#[test]
fn marked_padding_is_refused() {
    // spec: ATT-008: what a sender could do that has the key
    let cipher = cipher(1_000);
    let mut buffer = vec![0; 1_008];
    buffer[1_000] = 1;
    let nonce = cipher.nonce(ChunkIndex(0));
    let tag = cipher.aead.encrypt_in_place_detached(&nonce, &[], &mut buffer).unwrap();
    buffer.extend_from_slice(&tag);
    assert_eq!(open(&cipher, 0, &buffer), Err(AttachmentError::BadPadding));
}

#[test]
fn sealing_again_repeats_or_hides() {
    // spec: ATT-009: the same bytes give the same chunk; other bytes share nothing with it, as a
    // repeated nonce of another AEAD would
    let cipher = cipher(1_000);
    let chunk = sealed_chunks(&cipher).remove(0);
    assert_eq!(sealed_chunks(&cipher).remove(0), chunk);
    let mut changed = file(1_000);
    changed[999] ^= 1;
    cipher.seal(ChunkIndex(0), &mut changed).unwrap();
    let same = changed.iter().zip(&chunk).filter(|(a, b)| a == b).count();
    assert!(same < 40, "{same} of 1024 bytes are the same");
}

#[test]
fn a_source_of_another_length_is_refused() {
    let cipher = cipher(1_000);
    for length in [0, 999, 1_001] {
        let mut buffer = file(length);
        assert_eq!(cipher.seal(ChunkIndex(0), &mut buffer), Err(AttachmentError::SourceChanged));
    }
}

proptest! {
    #[test]
    fn arbitrary_chunks_never_open(chunk in proptest::collection::vec(any::<u8>(), 256..=256)) {
        prop_assert_eq!(open(&cipher(100), 0, &chunk), Err(AttachmentError::NotAuthentic));
    }
}
