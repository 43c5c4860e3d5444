//! The past of every coin is looked at, whichever page of the list comes last.

use super::*;

const DAY_STEPS: usize = 288;

/// A reply that is not asked for again in the same poll.
fn failed() -> Answer {
    Answer::raw("HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\ncontent-length: 0\r\n\r\n")
}

fn day(now_ms: i64) -> Answer {
    chart(fives(now_ms - 26 * HOUR_MS, now_ms), now_ms)
}

fn past(ticks: &[Tick], coin: &str) -> usize {
    of(ticks, coin).filter(|tick| tick.backfilled).count()
}

fn charts(run: &Run) -> Vec<usize> {
    (0..run.asked.len())
        .filter(|&at| run.asked[at].contains("market_chart"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_waits_for_the_page_that_failed() {
    let topic = Topic::new("  top: 20\n  include: [pepe]\n  poll_interval: 1m\n").await;
    let live = START_MS - 3 * MINUTE_MS;
    let next = live + MINUTE_MS;
    let down = Answer::raw("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n");
    let mut answers = vec![down; 5];
    answers.push(list(&[("pepe", live)]));
    answers.extend([
        list(&[("bitcoin", next), ("ethereum", next)]),
        list(&[("pepe", next)]),
        day(START_MS),
        day(START_MS),
        day(START_MS),
    ]);
    let run = topic.run(START_MS, answers).await;
    assert_eq!(charts(&run), [8, 9, 10]);
    let ticks = topic.ticks().await;
    for coin in ["bitcoin", "ethereum", "pepe"] {
        assert!(
            past(&ticks, coin) >= DAY_STEPS - 1,
            "{coin}: {}",
            past(&ticks, coin)
        );
    }
    assert_eq!(
        of(&ticks, "pepe").filter(|tick| !tick.backfilled).count(),
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_stays_away_holds_up_the_others_for_two_polls() {
    let topic = Topic::new("  top: 20\n  include: [pepe]\n  poll_interval: 1m\n").await;
    let live = START_MS - 3 * MINUTE_MS;
    let mut answers = Vec::new();
    for poll in 0..3 {
        answers.extend([failed(), list(&[("pepe", live + poll * MINUTE_MS)])]);
    }
    answers.push(day(START_MS));
    // Now what is older than an hour would be late.
    let back = START_MS + 3 * MINUTE_MS;
    answers.extend([
        list(&[("bitcoin", back)]),
        list(&[("pepe", back)]),
        day(back),
    ]);
    // And the next coin to enter the list has no past.
    answers.extend([
        list(&[("doge", back + MINUTE_MS)]),
        list(&[("pepe", back + MINUTE_MS)]),
    ]);
    let run = topic.run(START_MS, answers).await;
    assert_eq!(charts(&run), [6, 9]);
    let ticks = topic.ticks().await;
    assert_eq!(past(&ticks, "pepe"), DAY_STEPS);
    assert!(
        (11..=13).contains(&past(&ticks, "bitcoin")),
        "{}",
        past(&ticks, "bitcoin")
    );
    assert_eq!(past(&ticks, "doge"), 0);
    assert_eq!(
        of(&ticks, "pepe").filter(|tick| !tick.backfilled).count(),
        5
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_that_ends_for_one_page_first_is_filled_for_both() {
    let topic = Topic::new("  top: 20\n  include: [pepe]\n  poll_interval: 5m\n").await;
    let live = |id: &str, now_ms: i64| list(&[(id, now_ms - 3 * MINUTE_MS)]);
    let back = START_MS + 6 * HOUR_MS;
    let mut answers = vec![
        live("bitcoin", START_MS),
        live("pepe", START_MS),
        day(START_MS),
        day(START_MS),
    ];
    answers.extend(std::iter::repeat_n(failed(), 2 * 71));
    answers.extend([failed(), live("pepe", back)]);
    let next = back + 5 * MINUTE_MS;
    answers.extend([
        live("bitcoin", next),
        live("pepe", next),
        day(next),
        day(next),
    ]);
    topic.run(START_MS, answers).await;
    let ticks = topic.ticks().await;
    for coin in ["bitcoin", "pepe"] {
        let times: Vec<i64> = of(&ticks, coin).map(|tick| tick.time_ms).collect();
        let widest = times.windows(2).map(|pair| pair[1] - pair[0]).max();
        assert!(widest <= Some(5 * MINUTE_MS), "{coin}: {widest:?}");
    }
}

/// Each partition is somewhere else, and the first poll after the restart fails.
#[tokio::test(flavor = "multi_thread")]
async fn a_filling_that_was_killed_resumes_once_a_poll_succeeds() {
    let ids = ["a", "b", "c", "d", "e", "f"];
    let settings = format!("  ids: [{}]\n", ids.join(", "));
    let answers = |polls: Vec<Answer>| {
        let mut answers = polls;
        answers.push(list(&ids.map(|id| (id, START_MS - MINUTE_MS))));
        let steps = || fives(START_MS - 5 * HOUR_MS, START_MS - 30 * MINUTE_MS);
        answers.extend(ids.map(|_| chart(steps(), START_MS)));
        answers
    };
    let topic = Topic::new(&settings).await;
    topic.broker.create_topic(TOPIC, 3).await;
    topic.run(START_MS, answers(Vec::new())).await;
    let whole = topic.held(3).await;
    let part = Topic::new(&settings).await;
    part.broker.create_topic(TOPIC, 3).await;
    // The first has all of it, the others a third.
    for ((partition, records), share) in (0..).zip(&whole).zip([1, 3, 3]) {
        part.append(partition, &records[..records.len() / share])
            .await;
    }
    part.run(START_MS, answers(vec![failed()])).await;
    for (held, whole) in part.held(3).await.iter().zip(&whole) {
        assert!(
            values(held) == values(whole),
            "{} of {}",
            held.len(),
            whole.len()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_coin_gets_its_hour_though_the_first_poll_fails() {
    let mut topic = Topic::new("  ids: [bitcoin]\n").await;
    let live = START_MS - 3 * MINUTE_MS;
    topic
        .run(START_MS, vec![list(&[("bitcoin", live)]), day(START_MS)])
        .await;
    topic.settings = "  ids: [bitcoin, pepe]\n".to_owned();
    let (now_ms, live) = (START_MS + 5 * MINUTE_MS, live + 5 * MINUTE_MS);
    let both = list(&[("bitcoin", live), ("pepe", live)]);
    let run = topic.run(now_ms, vec![failed(), both, day(now_ms)]).await;
    assert_eq!(charts(&run), [2]);
    assert_eq!(past(&topic.ticks().await, "pepe"), 13);
}
