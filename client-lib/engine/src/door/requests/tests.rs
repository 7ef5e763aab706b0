use super::*;
use crate::work::trial::with_work;

fn somebody(number: u64) -> Fingerprint {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Fingerprint::from_bytes(bytes)
}

#[test]
fn requests_that_are_over_do_not_fill_the_store() {
    // spec: GRP-152
    with_work(|work| {
        let here = ChannelId::from_bytes([1; 32]);
        let waiting = |number| RequestRecord {
            number,
            link: CapabilityId::from_bytes([2; 32]),
            item: ItemId::from_bytes([3; 32]),
            place: number,
            card: SecretBytes::new(&[]),
            asked_at_ms: number,
            stage: Stage::Waiting,
            over_since_ms: None,
        };
        // One that waits, and one that a member told of, have room of their own.
        save(work, &here, &somebody(0), &waiting(9_999)).unwrap();
        let told = RequestRecord { stage: Stage::Declined, over_since_ms: Some(0), ..waiting(0) };
        save(work, &here, &somebody(1), &told).unwrap();
        let over_max = u64::try_from(REQUESTS_OVER_MAX).unwrap();
        for number in 2..over_max + 4 {
            work.now = Timestamp(number);
            let person = somebody(number);
            settle(work, &here, &person, waiting(number), Stage::In).unwrap();
        }
        let rows = work.tx.list::<RequestRecord>(&prefix(&here), usize::MAX).unwrap();
        assert_eq!(rows.len(), REQUESTS_OVER_MAX + 2);
        let known = |number| load(work, &here, &somebody(number)).unwrap().is_some();
        assert!(known(0) && known(1) && known(over_max + 3));
        assert!(!known(2) && !known(3) && known(4), "the first that were over");
    });
}
