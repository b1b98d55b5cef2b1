from benchmarks.scores_activation.jobs import jobs


def test_jobs_are_named_once_and_use_seeds_that_were_not_looked_at() -> None:
    every = list(jobs())
    assert len(set(every)) == len(every)
    assert min(job.data_seed for job in every) == 100
