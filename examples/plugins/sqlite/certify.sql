-- Its rowids are beyond what a double holds.
create table goods (id integer, name text not null, notes text, price real);
create table copies (id integer primary key, name text not null, notes text, price real);
with recursive n(id) as (select 0 union all select id + 1 from n where id < 24)
insert into goods (rowid, id, name, notes, price) select 1700000000000000199 + id, id, 'Zoë "' || id || '", the' || char(10) || id || 'th', substr(replace(hex(zeroblob(200)), '00', 'ab'), 1, id * 37 % 300), nullif(id + 0.5, 3.5) from n;
create table many (id integer primary key, name text);
with recursive n(id) as (select 1 union all select id + 1 from n where id < 50000)
insert into many select id, 'a name that is neither long nor short, number ' || id from n;
