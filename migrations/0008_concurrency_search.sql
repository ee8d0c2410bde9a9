-- A search for the largest number of requests in flight.
alter table measurement drop constraint measurement_load_mode_check;
alter table measurement add constraint measurement_load_mode_check
    check (load_mode in ('rate_search', 'concurrency_search', 'rate', 'concurrency', 'burst'));
