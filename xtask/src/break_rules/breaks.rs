//! What is broken, and how.

/// One rule that is broken.
pub(super) struct Break {
    pub(super) name: &'static str,
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
        // CLI-001, GRP-036
        name: "rejected-is-kept",
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
        // GRP-031
        name: "clock-in-validity",
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
        // CHN-021
        name: "cut-stops-candidates",
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
        // CHN-012
        name: "stored-is-not-on-disk",
        edits: &[Edit {
            file: "relay/rules/src/group.rs",
            sound: "        match result {
            Ok(()) => Stored {",
            broken: "        match result {
            _ => Stored {",
        }],
    },
    Break {
        // CHN-019
        name: "messages-behind-a-commit",
        edits: &[Edit {
            file: "relay/rules/src/channel/append.rs",
            sound: "    if row.candidates.is_empty() { Ok(()) } else { Err(stale(row)) }
}",
            broken: "    Ok(drop(row.candidates.is_empty()))
}",
        }],
    },
    Break {
        // CHN-018
        name: "an-entry-twice",
        edits: &[Edit {
            file: "relay/rules/src/channel/append.rs",
            sound: "        Ok(place.map(|place| self.appended(place, Repeated::Again)))",
            broken: "        Ok(place.map(|place| self.appended(place, Repeated::Again)).filter(|_| false))",
        }],
    },
    Break {
        // GRP-040, GRP-041
        name: "rights-are-not-asked",
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
        // GRP-033
        name: "removal-without-cut",
        edits: &[Edit {
            file: "protocol/src/group/rights.rs",
            sound: "self.gone.is_empty() || self.change.cut == Cut::Cut",
            broken: "self.gone.is_empty() || self.change.cut == Cut::Cut || true",
        }],
    },
    Break {
        // GRP-037
        name: "next-key-is-not-compared",
        edits: &[Edit {
            file: "protocol/src/group/receive.rs",
            sound: "    if keys.public_key() == mark.next_key {",
            broken: "    if keys.public_key() == mark.next_key || true {",
        }],
    },
    Break {
        // CLI-160
        name: "stuck-asks-nobody",
        edits: &[Edit {
            file: "client-lib/engine/src/stuck.rs",
            sound: "    rejoin::begin(work, channel)?;
    succession::no_way_on",
            broken: "    succession::no_way_on",
        }],
    },
    Break {
        // CLI-193
        name: "each-keeps-its-branch",
        edits: &[Edit {
            file: "client-lib/engine/src/forks.rs",
            sound: "            return lose(work, channel, epoch, &left, followed);",
            broken: "            drop(left);",
        }],
    },
    Break {
        // ATT-002
        name: "files-in-clear",
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
        // CLI-178
        name: "what-a-relay-lost-stays-lost",
        edits: &[Edit {
            file: "client-lib/engine/src/log/anew.rs",
            sound: "            Some(shown) => messages::send_again(work, channel, shown)?,",
            broken: "            Some(_) => {}",
        }],
    },
    Break {
        // CLI-045, CLI-088
        name: "an-item-twice",
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
}
