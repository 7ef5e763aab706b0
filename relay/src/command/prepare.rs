//! `hush-relay init`: key, commented configuration, address.

use std::{fs::OpenOptions, io::Write as _, net::IpAddr};

use hushwire_relay::{Config, config, directory::DataDirectory, key::Identity};
use hushwire_wire::address::{Place, RelayAddress};

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
    let near = match &config.public_address {
        Some(place) => stays_here(place),
        None => Some("localhost".to_owned()),
    };
    let note = near.map_or_else(String::new, |host| {
        let file = path.display();
        format!("note clients on other machines cannot use {host}: set public_address in {file}\n")
    });
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

/// The host of a place that means another machine on each machine: localhost, or no address of any.
fn stays_here(place: &Place) -> Option<String> {
    let place = place.to_string();
    let (host, _) = place.rsplit_once(':')?;
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    let stays = match address {
        Some(address) => address.is_loopback() || address.is_unspecified(),
        None => host == "localhost" || host.ends_with(".localhost"),
    };
    stays.then(|| host.to_owned())
}
