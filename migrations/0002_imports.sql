-- Runs whose results another tool measured, and what people add to a run: tags, notes, an archive.

alter table run
    add column kind text not null default 'measured' constraint run_kind_check check (kind in ('measured', 'imported')),
    add column tags text[] not null default '{}',
    add column notes text not null default '',
    add column archived_at timestamptz,
    -- Nothing of an imported run took place on a host of ours.
    alter column host_id drop not null,
    add constraint run_host_check check (kind = 'imported' or host_id is not null);

-- What the runs list is searched by. Names are written with slashes, dots and the like, which the parser of texts would
-- take for paths and hosts; every part of a name is a word here.
create function run_words(title text, model text, frameworks text[], tags text[], notes text) returns tsvector
    language sql immutable parallel safe
    return to_tsvector('simple'::regconfig, regexp_replace(
        concat_ws(' ', title, model, array_to_string(frameworks, ' '), array_to_string(tags, ' '), notes),
        '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u00d7\u00f7]+', ' ', 'g'));

alter table run add column words tsvector not null
    generated always as (run_words(title, model, frameworks, tags, notes)) stored;

create index run_words on run using gin (words);
create index run_tags on run using gin (tags);
create index run_tagged on run (id) where tags <> '{}' and deleted_at is null;
create index run_by_title on run (title, id) where deleted_at is null;
create index run_by_model on run (model, id) where deleted_at is null;
