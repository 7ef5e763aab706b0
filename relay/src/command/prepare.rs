//! `hush-relay init`: key, commented configuration, address.

use std::{fs::OpenOptions, io::Write as _};

use hushwire_relay::{
    Config, address::RelayAddress, config, directory::DataDirectory, key::RelayKey,
};

use super::{CONFIG_NAME, Failure, InitArguments, print};

/// Creates what is missing and leaves alone what is there.
pub(super) fn run(arguments: &InitArguments) -> Result<(), Failure> {
    let directory = DataDirectory::open(&arguments.data)?;
    let key = RelayKey::load_or_create(&directory.key())?;
    let path = arguments.data.join(CONFIG_NAME);
    let config = if path.exists() {
        Config::read(&path)?
    } else {
        let text = match &arguments.public_address {
            Some(place) => config::TEMPLATE.replace(
                "# public_address = \"relay.example:4433\"",
                &format!("public_address = {}", toml::Value::from(place.as_str())),
            ),
            None => config::TEMPLATE.to_owned(),
        };
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        Config::parse(&text)?
    };
    let place =
        config.public_address.unwrap_or_else(|| format!("localhost:{}", config.listen.port()));
    let address = RelayAddress::new(place, *key.id());
    let id = hex::encode(key.id());
    print(
        format!("relay id {id}\naddress {address}\nconfiguration {}\n", path.display()).as_bytes(),
    )
}
