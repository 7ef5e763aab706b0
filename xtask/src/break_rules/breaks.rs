//! What is broken, and how.

/// Rules that are broken together.
pub(super) struct Break {
    pub(super) name: &'static str,
    /// Ids of the rules that it breaks.
    pub(super) rules: &'static [&'static str],
    pub(super) edits: &'static [Edit],
}

/// Text of a file, and what stands there instead.
pub(super) struct Edit {
    pub(super) file: &'static str,
    sound: &'static str,
    broken: &'static str,
}

impl Edit {
    /// The text of the file with the edit.
    ///
    /// # Errors
    /// When the text does not have what is to be broken, or not only once.
    pub(super) fn broken(&self, text: &str) -> Result<String, String> {
        match text.matches(self.sound).count() {
            1 => Ok(text.replacen(self.sound, self.broken, 1)),
            count => Err(format!("{} has {count} times: {}", self.file, self.sound)),
        }
    }
}

pub(super) const BREAKS: &[Break] = &[
    Break {
        name: "rejected-is-kept",
        rules: &["CLI-001", "GRP-036"],
        edits: &[Edit {
            file: "client-lib/engine/src/engine.rs",
            sound: "        let result = operation(&mut work)?;
        let Work { tx, effects, .. } = work;
        let changes = tx.into_changes();
        if !changes.is_empty() {
            self.store.apply(changes)?;
        }
",
            broken: "        let result = operation(&mut work);
        let Work { tx, effects, .. } = work;
        let changes = tx.into_changes();
        if !changes.is_empty() {
            self.store.apply(changes)?;
        }
        let result = result?;
",
        }],
    },
    Break {
        name: "clock-in-validity",
        rules: &["GRP-031"],
        edits: &[Edit {
            file: "client-lib/engine/src/log.rs",
            sound: "    let mut mls = load_group(work, channel)?;
    let provider = work.provider();
    // A commit of ours that is still pending has lost, if this one is valid.
",
            broken: "    if work.now.ms_since(entry.stored_at) > 60_000 {
        return Err(Fault::Rejected(Refused::Group(Rejection::InvalidCommit)));
    }
    let mut mls = load_group(work, channel)?;
    let provider = work.provider();
",
        }],
    },
    Break {
        name: "cut-stops-candidates",
        rules: &["CHN-021"],
        edits: &[Edit {
            file: "relay/rules/src/channel/append.rs",
            sound: "        // spec: CHN-021
",
            broken:
                "        if row.candidates.iter().any(|known| known.cut == transcript::Cut::Cut) {
            return Err(Code::CandidatesExhausted.into());
        }
",
        }],
    },
    Break {
        name: "stored-is-not-on-disk",
        rules: &["CHN-012"],
        edits: &[Edit {
            file: "relay/rules/src/group.rs",
            sound: "        match result {
            Ok(()) => Stored {",
            broken: "        match result {
            _ => Stored {",
        }],
    },
    Break {
        name: "messages-behind-a-commit",
        rules: &["CHN-019"],
        edits: &[Edit {
            file: "relay/rules/src/channel/append.rs",
            sound: "    if row.candidates.is_empty() { Ok(()) } else { Err(stale(row)) }
}",
            broken: "    Ok(drop(row.candidates.is_empty()))
}",
        }],
    },
    Break {
        name: "an-entry-twice",
        rules: &["CHN-018"],
        edits: &[Edit {
            file: "relay/rules/src/channel/append.rs",
            sound: "        Ok(place.map(|place| self.appended(place, Repeated::Again)))",
            broken: "        Ok(place.map(|place| self.appended(place, Repeated::Again)).filter(|_| false))",
        }],
    },
    Break {
        name: "rights-are-not-asked",
        rules: &["GRP-040", "GRP-041"],
        edits: &[
            Edit {
                file: "protocol/src/group/rights.rs",
                sound: "            Allowed::No => Err(Rejection::NoRight),
        }
    }

    fn demand_role",
                broken: "            Allowed::No => Ok(()),
        }
    }

    fn demand_role",
            },
            Edit {
                file: "protocol/src/group/rights.rs",
                sound: "        if self.committer.role >= least { Ok(()) } else { Err(Rejection::NoRight) }",
                broken: "        Ok(drop(least))",
            },
            Edit {
                file: "protocol/src/group/rights.rs",
                sound: "    if owned { Ok(()) } else { Err(Rejection::LastOwner) }",
                broken: "    Ok(drop(owned))",
            },
        ],
    },
    Break {
        name: "removal-without-cut",
        rules: &["GRP-033"],
        edits: &[Edit {
            file: "protocol/src/group/rights.rs",
            sound: "self.gone.is_empty() || self.change.cut == Cut::Cut",
            broken: "self.gone.is_empty() || self.change.cut == Cut::Cut || true",
        }],
    },
    Break {
        name: "next-key-is-not-compared",
        rules: &["GRP-037"],
        edits: &[Edit {
            file: "protocol/src/group/receive.rs",
            sound: "    if keys.public_key() == mark.next_key {",
            broken: "    if keys.public_key() == mark.next_key || true {",
        }],
    },
    Break {
        name: "stuck-asks-nobody",
        rules: &["CLI-160"],
        edits: &[Edit {
            file: "client-lib/engine/src/stuck.rs",
            sound: "    rejoin::begin(work, channel)?;
    succession::no_way_on",
            broken: "    succession::no_way_on",
        }],
    },
    Break {
        name: "each-keeps-its-branch",
        rules: &["CLI-193"],
        edits: &[Edit {
            file: "client-lib/engine/src/forks.rs",
            sound: "                None => return lose(work, channel, epoch, &left, followed),",
            broken: "                None => {}",
        }],
    },
    Break {
        name: "files-in-clear",
        rules: &["ATT-002"],
        edits: &[
            Edit {
                file: "protocol/src/attachment/cipher.rs",
                sound: "            .encrypt_in_place_detached(&self.nonce(index), &[], buffer)",
                broken: "            .encrypt_in_place_detached(&self.nonce(index), &[], &mut [])",
            },
            Edit {
                file: "protocol/src/attachment/cipher.rs",
                sound: "            .decrypt_in_place_detached(&self.nonce(index), &[], buffer, Tag::from_slice(&tag))",
                broken: "            .decrypt_in_place_detached(&self.nonce(index), &[], &mut [], Tag::from_slice(&tag))",
            },
        ],
    },
    Break {
        name: "what-a-relay-lost-stays-lost",
        rules: &["CLI-178"],
        edits: &[Edit {
            file: "client-lib/engine/src/log/anew.rs",
            sound: "            Some(shown) => messages::send_again(work, channel, shown)?,",
            broken: "            Some(_) => {}",
        }],
    },
    Break {
        name: "an-item-twice",
        rules: &["CLI-045", "CLI-088"],
        edits: &[Edit {
            file: "client-lib/engine/src/handled.rs",
            sound: "    Ok(work.tx.load::<HandledRecord>(&row_key(item))?.is_some())",
            broken: "    Ok(work.tx.load::<HandledRecord>(&row_key(item))?.is_some() && false)",
        }],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkout;

    #[test]
    fn what_is_to_be_broken_is_there() {
        for edit in BREAKS.iter().flat_map(|one| one.edits) {
            let text = std::fs::read_to_string(checkout::root().join(edit.file)).unwrap();
            edit.broken(&text).unwrap();
        }
    }

    #[test]
    fn what_is_broken_are_rules() {
        let files = std::fs::read_dir(checkout::root().join("spec")).unwrap();
        let paths = files.map(|file| file.unwrap().path()).filter(|path| path.is_file());
        let spec: String = paths.map(|path| std::fs::read_to_string(path).unwrap()).collect();
        for one in BREAKS {
            assert!(!one.rules.is_empty(), "{}", one.name);
            for rule in one.rules {
                assert!(spec.contains(&format!("**{rule}** ")), "{}: {rule}", one.name);
            }
        }
    }
}
