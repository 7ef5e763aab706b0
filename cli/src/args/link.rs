//! `hush link`.

use core::time::Duration;

use clap::{Args, Subcommand};

/// Arguments of `hush link`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct LinkArgs {
    /// List or revoke instead.
    #[command(subcommand)]
    pub command: Option<LinkCommand>,
    /// It works once; the default
    #[arg(long, conflicts_with = "lasting")]
    pub single: bool,
    /// It works for everybody who has it, until it is revoked
    #[arg(long)]
    pub lasting: bool,
    /// It stops working after this time, such as 12h, 7d or 2w
    #[arg(long, value_name = "TIME", value_parser = super::length)]
    pub expires: Option<Duration>,
}

/// What to do with the links given out.
#[derive(Debug, Subcommand)]
pub enum LinkCommand {
    /// List the links given out
    ///
    /// JSON: "link" objects, as in `hush link`.
    List,
    /// Make a link useless
    ///
    /// JSON: {"type":"done","done":"link_revoked","link"}.
    Revoke {
        /// The link's number
        #[arg(value_parser = super::number)]
        link: u64,
    },
}
