//! The file of the demo: a sound recording of 12 MB that any player plays.

use std::{
    collections::hash_map::RandomState,
    fs::File,
    hash::{BuildHasher as _, Hasher as _},
    io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
};

use super::fault::Fault;

/// Samples, of two bytes each: 12 MB.
const SAMPLES: u32 = 6_000_000;
const SAMPLES_PER_SECOND: u32 = 44_100;
/// Slices that are looked for, spread over the file, and the length of each.
const SLICES: u64 = 192;
const SLICE_BYTES: usize = 64;

/// Writes a WAV file (RIFF, PCM, 16 bits, mono): a bell in the noise of the sea.
pub(super) fn write(path: &Path) -> Result<(), Fault> {
    let fault = || Fault::about("the recording");
    let mut file = BufWriter::new(File::create(path).map_err(fault())?);
    let data_bytes = SAMPLES * 2;
    let mut header = Vec::new();
    header.extend_from_slice(b"RIFF");
    header.extend_from_slice(&(data_bytes + 36).to_le_bytes());
    header.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    header.extend_from_slice(&SAMPLES_PER_SECOND.to_le_bytes());
    header.extend_from_slice(&(SAMPLES_PER_SECOND * 2).to_le_bytes());
    header.extend_from_slice(b"\x02\0\x10\0data");
    header.extend_from_slice(&data_bytes.to_le_bytes());
    file.write_all(&header).map_err(fault())?;
    let mut noise = Noise::new();
    for sample in 0..SAMPLES {
        // A square bell every two seconds, and noise that differs from run to run.
        let bell = sample % (SAMPLES_PER_SECOND * 2) < SAMPLES_PER_SECOND / 2;
        let tone: i16 = if bell && sample / 50 % 2 == 0 { 4_000 } else { 0 };
        let level = noise.next_level().saturating_add(tone);
        file.write_all(&level.to_le_bytes()).map_err(fault())?;
    }
    file.flush().map_err(fault())
}

/// Numbers that are random enough for noise (splitmix64), from a seed of the system.
struct Noise(u64);

impl Noise {
    fn new() -> Self {
        Self(RandomState::new().build_hasher().finish())
    }

    fn next_level(&mut self) -> i16 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let [low, high, ..] = (value ^ (value >> 31)).to_le_bytes();
        i16::from_le_bytes([low, high]) / 2
    }
}

/// Slices of a file from its first to its last byte.
pub(super) fn slices(path: &Path) -> Result<Vec<Vec<u8>>, Fault> {
    let fault = || Fault::about("the recording");
    let mut file = File::open(path).map_err(fault())?;
    let bytes = file.metadata().map_err(fault())?.len();
    let slice_bytes = u64::try_from(SLICE_BYTES).unwrap_or(0);
    let room = bytes.saturating_sub(slice_bytes);
    let mut slices = Vec::new();
    for number in 0..SLICES {
        let mut slice = vec![0; SLICE_BYTES];
        file.seek(SeekFrom::Start(room * number / (SLICES - 1))).map_err(fault())?;
        file.read_exact(&mut slice).map_err(fault())?;
        slices.push(slice);
    }
    Ok(slices)
}

/// Whether two files have the same bytes.
pub(super) fn equal(one: &Path, other: &Path) -> Result<bool, Fault> {
    let read = |path| std::fs::read(path).map_err(Fault::about("a saved file"));
    Ok(read(one)? == read(other)?)
}
