from scheduler import Scheduler


def test_jobs_run_in_order_of_their_time():
    scheduler = Scheduler()
    for when, name in [(30, "report"), (10, "backup"), (20, "mail")]:
        scheduler.at(when, name, lambda: None)
    assert [name for name, _ in scheduler.run()] == ["backup", "mail", "report"]


def test_jobs_of_the_same_time_run_as_they_were_added():
    scheduler = Scheduler()
    scheduler.at(10, "b", lambda: None)
    scheduler.at(10, "a", lambda: None)
    assert scheduler.run() == [("b", "done"), ("a", "done")]


def test_nothing_to_do():
    assert Scheduler().run() == []
