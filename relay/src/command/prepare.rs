//! `hush-relay init`: key, commented configuration, address.

use std::{fs::OpenOptions, io::Write as _};

use hushwire_relay::{Config, config, directory::DataDirectory, key::Identity};
use hushwire_wire::address::RelayAddress;

use super::{CONFIG_NAME, Failure, InitArguments, print};

/// Creates what is missing and leaves alone what is there.
pub(super) fn run(arguments: &InitArguments) -> Result<(), Failure> {
    let directory = DataDirectory::open(&arguments.data)?;
    let Identity { key, .. } = Identity::load_or_make(&directory)?;
    let path = arguments.data.join(CONFIG_NAME);
    let config = if path.exists() {
        let config = Config::read(&path)?;
        if arguments.public_address.is_some() && arguments.public_address != config.public_address {
            let file = path.display();
            let what = match (&config.public_address, &arguments.public_address) {
                (None, Some(place)) => {
                    format!("sets no public_address: add `public_address = \"{place}\"` there")
                }
                _ => "names another public_address: change it there".to_owned(),
            };
            return Err(format!("{file} is there already and {what}").into());
        }
        config
    } else {
        let text = match &arguments.public_address {
            Some(place) => config::TEMPLATE.replace(
                "# public_address = \"relay.example:4433\"",
                &format!("public_address = {}", toml::Value::from(place.to_string())),
            ),
            None => config::TEMPLATE.to_owned(),
        };
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        Config::parse(&text)?
    };
    let port = config.listen.port();
    let note = match &config.public_address {
        Some(_) => String::new(),
        None => format!(
            "note clients on other machines cannot use localhost: set public_address in {}\n",
            path.display()
        ),
    };
    let place = config.public_address.map_or_else(|| super::localhost(port), Ok);
    // With port 0 the place is known only while the relay runs.
    let address = place.map_or_else(
        |_| "is printed by `hush-relay run`".to_owned(),
        |place| RelayAddress::at(place, *key.id()).to_string(),
    );
    let id = hex::encode(key.id());
    print(
        format!("relay id {id}\naddress {address}\nconfiguration {}\n{note}", path.display())
            .as_bytes(),
    )
}
