-- Written anew with every migrate, so that editing this file is all it takes to change the view.

-- upgrade
DROP VIEW IF EXISTS events_by_type;
CREATE VIEW events_by_type AS
SELECT event_type, count(*) AS events
FROM events
GROUP BY event_type;
