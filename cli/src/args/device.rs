//! `hush device`.

use clap::Subcommand;

/// What to do with devices.
#[derive(Debug, Subcommand)]
pub enum DeviceCommand {
    /// Link a new device: shows a code for it, then six digits to compare
    ///
    /// JSON: {"type":"device_code","code"}, then {"type":"comparison","code"}, then
    /// {"type":"done","done":"device_linked"}.
    Link {
        /// For scripts: link only if the digits are these; `-` reads them from standard input when
        /// they are needed
        #[arg(long, value_name = "DIGITS", value_parser = super::digits)]
        yes_if: Option<String>,
    },
    /// List the devices of this identity
    ///
    /// JSON: {"type":"device","device","name","current"}; "current" is yes or no.
    List,
    /// Get new keys for this device's groups, key packages and inbox, and revoke nobody
    ///
    /// For when somebody may have read this profile: what they have reads nothing later. The device's
    /// own key stays; who may have that too needs a new device, and this one revoked.
    ///
    /// JSON: {"type":"done","done":"keys_refreshed"}.
    Refresh,
    /// Shut a device out of everything
    ///
    /// JSON: {"type":"done","done":"device_revoked","device"}.
    Revoke {
        /// The device's number or the beginning of its name
        device: String,
    },
}
