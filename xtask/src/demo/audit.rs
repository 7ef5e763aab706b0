//! The search: is anything that people said at the relay, in any common encoding?
//!
//! A canary is planted first, by the way that all ciphertext takes: a frame inside TLS, the relay's
//! writer, its store on disk. So it has to be in each of the three places, in every form; a place
//! where it is not found whole was not searched.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    hash::{BuildHasher as _, Hasher as _},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    fault::{Fault, expect},
    needle::{self, About, Needle},
    relay::Relay,
    screen::{Screen, size},
    search::{Found, Search},
    sight::Frame,
};

/// Times that the canary stands in what is planted: the store may cut a value once, where a block
/// of its log ends.
const NESTS: usize = 4;

/// What the search came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The canary was found in every place, and nothing else.
    Blind,
    /// Something that people said was found.
    Seen,
    /// The canary was missed: the search says nothing.
    Void,
}

/// A place that was searched.
struct Place {
    name: &'static str,
    unit: &'static str,
    found: Found,
}

/// A search of one relay.
pub(super) struct Audit {
    needles: Vec<Needle>,
    search: Search,
    places: Vec<Place>,
}

/// Plants a canary in the running relay, and adds it to what is looked for.
pub(super) fn plant(relay: &Relay, folder: &Path, needles: &mut Vec<Needle>) -> Result<(), Fault> {
    let seed = || std::collections::hash_map::RandomState::new().build_hasher().finish();
    let canary = needle::canary(&format!("{:016x}{:016x}", seed(), seed()));
    let file = folder.join("canary");
    let nests = needle::nest(&canary).repeat(NESTS);
    fs::write(&file, nests).map_err(Fault::about("the canary"))?;
    relay.plant(&file)?;
    fs::remove_file(&file).map_err(Fault::about("the canary"))?;
    needles.push(Needle::text(About::Canary, &canary));
    Ok(())
}

impl Audit {
    pub(super) fn new(needles: Vec<Needle>) -> Result<Self, Fault> {
        let search = Search::new(needle::patterns(&needles)?);
        Ok(Self { needles, search, places: Vec::new() })
    }

    /// How many needles and forms of them are looked for.
    pub(super) fn announce(&self, screen: &Screen) {
        let mut counts: BTreeMap<About, usize> = BTreeMap::new();
        for needle in &self.needles {
            *counts.entry(needle.about).or_default() += 1;
        }
        for (about, count) in counts {
            screen.note(&format!("{count:>4} {}", about.noun()));
        }
        let forms = self.search.patterns().len();
        screen.note(&format!(
            "each as UTF-8, UTF-16 (LE, BE), hex (both cases), base64 (std, url; 3 alignments): \
             {forms} patterns"
        ));
    }

    /// Every file that the relay wrote: key, configuration, store, log.
    pub(super) fn search_files(&mut self, relay: &Relay, screen: &Screen) -> Result<(), Fault> {
        let mut files = vec![relay.log()];
        collect(&relay.data(), &mut files)?;
        let bytes = files.iter().map(|file| fs::metadata(file).map_or(0, |it| it.len())).sum();
        let bar = screen.bar(bytes, "raw files");
        let mut found = Found::default();
        for path in files {
            let file = File::open(&path).map_err(Fault::about("a file of the relay"))?;
            let streamed = self.search.stream(file, &mut found, |bytes| bar.inc(bytes));
            streamed.map_err(Fault::about("a file of the relay"))?;
        }
        bar.finish_and_clear();
        self.places.push(Place { name: "raw files of the relay", unit: "files", found });
        Ok(())
    }

    /// Every key and value of the store, as the relay's own tool reads them.
    pub(super) fn search_rows(&mut self, relay: &Relay, screen: &Screen) -> Result<(), Fault> {
        let bar = screen.spinner("rows of the store");
        let mut found = Found::default();
        let search = &self.search;
        relay.inspect(|row| {
            let mut bytes = Vec::new();
            for field in ["id", "key", "value"] {
                bytes.extend_from_slice(&decoded(row, field)?);
            }
            search.piece(&bytes, &mut found);
            Ok(())
        })?;
        bar.finish_and_clear();
        self.places.push(Place { name: "keys and values of its store", unit: "rows", found });
        Ok(())
    }

    /// Every frame that came or went inside TLS.
    pub(super) fn search_frames(&mut self, relay: &Relay, screen: &Screen) -> Result<(), Fault> {
        let records = relay.records();
        let bytes = records.iter().map(|file| fs::metadata(file).map_or(0, |it| it.len())).sum();
        let bar = screen.bar(bytes, "frames inside TLS");
        let mut found = Found::default();
        for record in records {
            let fault = || Fault::about("the record of frames");
            let mut lines = BufReader::new(File::open(record).map_err(fault())?);
            let mut line = String::new();
            while lines.read_line(&mut line).map_err(fault())? > 0 {
                bar.inc(u64::try_from(line.len()).unwrap_or(0));
                let frame = Frame::parse(&line);
                // Only a kill may have left a line without its frame, and then as the last one.
                expect(frame.is_some() || !line.ends_with('\n'), "the record has frames")?;
                if let Some(frame) = frame {
                    self.search.piece(&frame.bytes, &mut found);
                }
                line.clear();
            }
        }
        bar.finish_and_clear();
        self.places.push(Place { name: "frames inside TLS", unit: "frames", found });
        Ok(())
    }

    /// Prints what was found where, and judges.
    pub(super) fn verdict(&self, screen: &Screen) -> Verdict {
        println!(
            "    {:<32} {:>16} {:>10} {:>9} {:>9} {:>7}",
            "place", "searched", "bytes", "patterns", "canary", "found"
        );
        let mut verdict = Verdict::Blind;
        for place in &self.places {
            let (canaries, others) = self.split(&place.found);
            let whole = canaries == self.canary_forms() && canaries > 0;
            let line = format!(
                "    {:<32} {:>16} {:>10} {:>9} {:>9} {:>7}",
                place.name,
                format!("{} {}", place.found.pieces, place.unit),
                size(place.found.bytes),
                self.search.patterns().len() - self.canary_forms(),
                format!("{canaries}/{}", self.canary_forms()),
                others.len(),
            );
            let good = whole && others.is_empty();
            println!("{}", if good { screen.good(&line) } else { screen.bad(&line) });
            for pattern in &others {
                println!("      {}", screen.bad(pattern));
            }
            verdict = match verdict {
                Verdict::Seen => Verdict::Seen,
                _ if !others.is_empty() => Verdict::Seen,
                Verdict::Blind if !whole => Verdict::Void,
                other => other,
            };
        }
        if self.places.len() == 3 { verdict } else { Verdict::Void }
    }

    fn is_canary(&self, number: usize) -> bool {
        let needle = self.needles.get(number);
        needle.is_some_and(|needle| needle.about == About::Canary)
    }

    fn canary_forms(&self) -> usize {
        self.search.patterns().iter().filter(|pattern| self.is_canary(pattern.needle)).count()
    }

    /// How many forms of the canary are there, and what else is.
    fn split(&self, found: &Found) -> (usize, Vec<String>) {
        let mut canaries = 0;
        let mut others = Vec::new();
        for number in &found.patterns {
            match self.search.patterns().get(*number) {
                Some(pattern) if self.is_canary(pattern.needle) => canaries += 1,
                Some(pattern) => {
                    let needle = self.needles.get(pattern.needle);
                    let noun = needle.map_or("", |needle| needle.about.noun());
                    let bytes = needle.map_or_else(Vec::new, |needle| needle.bytes.clone());
                    let text =
                        String::from_utf8(bytes).unwrap_or_else(|it| hex::encode(it.into_bytes()));
                    others.push(format!("found, {}, {noun}: {text}", pattern.form));
                }
                None => {}
            }
        }
        (canaries, others)
    }
}

fn decoded(row: &Value, field: &str) -> Result<Vec<u8>, Fault> {
    let digits = row[field].as_str();
    let digits = digits.ok_or_else(|| Fault::new(format!("a row has no {field}")))?;
    hex::decode(digits).map_err(|_| Fault::new(format!("a row's {field} is not hex")))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Fault> {
    let fault = || Fault::about("the relay's folder");
    for entry in fs::read_dir(folder).map_err(fault())? {
        let entry = entry.map_err(fault())?;
        if entry.file_type().map_err(fault())?.is_dir() {
            collect(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "see you at the old harbour";

    /// An audit of three places that hold these bytes.
    fn audit(places: [&[u8]; 3]) -> Verdict {
        let needles =
            vec![Needle::text(About::Text, SECRET), Needle::text(About::Canary, &canary())];
        let mut audit = Audit::new(needles).unwrap();
        for bytes in places {
            let mut found = Found::default();
            audit.search.piece(bytes, &mut found);
            audit.places.push(Place { name: "place", unit: "files", found });
        }
        audit.verdict(&Screen::new())
    }

    fn canary() -> String {
        needle::canary("f00d")
    }

    #[test]
    fn a_relay_is_blind_if_the_canary_is_everywhere_and_nothing_else() {
        let nest = needle::nest(&canary());
        assert_eq!(audit([&nest, &nest, &nest]), Verdict::Blind);
    }

    #[test]
    fn a_search_that_misses_a_form_of_the_canary_is_void() {
        let nest = needle::nest(&canary());
        let (half, _) = nest.split_at(nest.len() / 2);
        assert_eq!(audit([&nest, &nest, half]), Verdict::Void);
        assert_eq!(audit([&nest, &[], &nest]), Verdict::Void);
    }

    #[test]
    fn what_people_said_is_seen_in_every_form_and_place() {
        let nest = needle::nest(&canary());
        let forms = needle::patterns(&[Needle::text(About::Text, SECRET)]).unwrap();
        for form in forms {
            let leak = [nest.as_slice(), &form.bytes].concat();
            assert_eq!(audit([&leak, &nest, &nest]), Verdict::Seen, "{}", form.form);
            assert_eq!(audit([&nest, &[], &leak]), Verdict::Seen, "{}", form.form);
        }
    }
}
